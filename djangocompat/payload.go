package djangocompat

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"sync"
)

const (
	defaultMaxSize = 1 << 20
	maxMaxSize     = 1 << 30
	pooledSize     = 64 << 10 // a buffer that has grown beyond this is not kept
)

// workspace is what the reading of one signed value needs for a moment. It is pooled.
type workspace struct {
	text    []byte // the signed text
	payload []byte // decoded
	plain   []byte // inflated
	mac     [64]byte
	sig     [96]byte
	source  bytes.Reader
	zlib    io.ReadCloser // nil until first needed
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// release gives w back; nothing that it holds may be used any more.
func (w *workspace) release() {
	w.source.Reset(nil)
	if max(cap(w.text), cap(w.payload), cap(w.plain)) <= pooledSize {
		workspaces.Put(w)
	}
}

// open returns what sealPayload has put into payload, inflated to at most limit bytes. It is valid until
// w is released.
func (w *workspace) open(payload []byte, limit int) ([]byte, error) {
	payload, deflated := bytes.CutPrefix(payload, []byte("."))
	var ok bool
	if w.payload, ok = appendDecodedBase64(w.payload[:0], payload); !ok {
		return nil, ErrMalformed
	}
	if deflated {
		return w.inflate(limit)
	}
	if len(w.payload) > limit {
		return nil, ErrTooLarge
	}
	return w.payload, nil
}

// inflate inflates w.payload. What follows the end of the stream is ignored, as in Python.
func (w *workspace) inflate(limit int) ([]byte, error) {
	if err := w.resetZlib(); err != nil {
		return nil, ErrMalformed
	}
	w.plain = w.plain[:0]
	for {
		if len(w.plain) > limit {
			return nil, ErrTooLarge
		}
		if len(w.plain) == cap(w.plain) {
			w.plain = append(w.plain, make([]byte, max(1024, cap(w.plain)))...)[:len(w.plain)]
		}
		room := min(cap(w.plain), limit+1)
		n, err := w.zlib.Read(w.plain[len(w.plain):room])
		w.plain = w.plain[:len(w.plain)+n]
		switch {
		case errors.Is(err, io.EOF) && len(w.plain) <= limit:
			return w.plain, nil
		case err != nil && len(w.plain) <= limit:
			return nil, ErrMalformed
		}
	}
}

func (w *workspace) resetZlib() error {
	w.source.Reset(w.payload)
	if w.zlib != nil {
		return w.zlib.(zlib.Resetter).Reset(&w.source, nil)
	}
	r, err := zlib.NewReader(&w.source)
	if err == nil {
		w.zlib = r
	}
	return err
}

// Compression says whether a signed object may be deflated.
type Compression uint8

// The ways to sign an object.
const (
	Plain    Compression = iota
	Compress             // deflated if that makes it shorter
)

var deflaters = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}

// sealPayload makes the text that is signed for data.
func sealPayload(data []byte, c Compression) []byte {
	if c == Compress {
		if z := deflate(data); len(z) < len(data)-1 {
			return appendBase64([]byte("."), z)
		}
	}
	return appendBase64(nil, data)
}

func deflate(data []byte) []byte {
	var buf bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&buf)
	_, _ = w.Write(data) // a bytes.Buffer takes everything
	_ = w.Close()
	return buf.Bytes()
}
