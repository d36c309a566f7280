package server

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// deflaters and inflaters are what compresses and decompresses. Each is used for one message and given back: an idle
// connection has none, and nothing goes from message to message. RFC 7692 §7.2.
type deflaters struct {
	deflaters sync.Pool // of *deflater
	inflaters sync.Pool // of *inflater
}

// rsv1 marks the first frame of a compressed message.
const rsv1 = 4

// deflateTail is what each message of a compressor ends with, and what is not sent. RFC 7692 §7.2.1.
var deflateTail = []byte{0x00, 0x00, 0xff, 0xff}

// inflateTail is what a decompressor needs behind a message to come to its end: the above, and an empty last block.
var inflateTail = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// deflater compresses messages, one after the other.
type deflater struct {
	writer *flate.Writer
	out    bytes.Buffer
}

// frame returns the frame of a message, compressed unless that would be no smaller.
func (ds *deflaters) frame(m consumers.Message) []byte {
	d, _ := ds.deflaters.Get().(*deflater)
	if d == nil {
		d = new(deflater)
		d.writer, _ = flate.NewWriter(&d.out, flate.BestSpeed) // the level is one
	}
	defer ds.deflaters.Put(d)
	d.out.Reset()
	d.writer.Reset(&d.out)
	_, err := d.writer.Write(m.Data)
	if err = errors.Join(err, d.writer.Flush()); err != nil {
		return messageFrame(m) // it cannot be: a buffer takes everything
	}
	payload := bytes.TrimSuffix(d.out.Bytes(), deflateTail)
	if len(payload) >= len(m.Data) {
		return messageFrame(m)
	}
	frame := appendFrame(make([]byte, 0, ws.MaxHeaderSize+len(payload)), opOf(m.Kind), payload)
	frame[0] |= rsv1 << 4
	if d.out.Cap() > maxScratch {
		d.out = bytes.Buffer{}
	}
	return frame
}

// maxScratch is how much a pooled buffer may hold while nobody uses it.
const maxScratch = 128 << 10

// inflater decompresses messages, one after the other.
type inflater struct {
	reader io.ReadCloser // also a flate.Resetter
	in     bytes.Reader  // has ReadByte, so that not a byte too many is read
	tail   bytes.Reader
	out    []byte
}

const (
	// inflateStep is how much is decompressed before it is looked at.
	inflateStep = 8 << 10
	// maxFinalBlocks is how many blocks of a message may call themselves the last. After each one begins anew, which
	// costs more than the two bytes that it takes.
	maxFinalBlocks = 16
)

// inflate decompresses a message. What comes out is bounded while it does, and a text is checked as it comes out. RFC
// 7692 §7.2.2.
func (ds *deflaters) inflate(kind consumers.Kind, payload []byte, limit int) (consumers.Message, *frameError) {
	f, _ := ds.inflaters.Get().(*inflater)
	if f == nil {
		f = &inflater{reader: flate.NewReader(nil)}
	}
	defer ds.inflaters.Put(f)
	err := f.run(kind, payload, limit)
	m := consumers.Message{Kind: kind}
	if err == nil {
		m.Data = append(make([]byte, 0, len(f.out)), f.out...)
	}
	f.in.Reset(nil)
	if cap(f.out) > maxScratch {
		f.out = nil
	}
	return m, err
}

// run decompresses payload into f.out.
func (f *inflater) run(kind consumers.Kind, payload []byte, limit int) *frameError {
	f.out = f.out[:0]
	f.in.Reset(payload)
	f.tail.Reset(inflateTail)
	checked, finals := 0, 0
	if f.restart() != nil {
		return errDeflate
	}
	for {
		room := f.step(limit)
		n, err := f.reader.Read(room)
		f.out = f.out[:len(f.out)+n]
		if len(f.out) > limit {
			return errTooLarge
		}
		if kind == consumers.Text {
			valid, ok := wholeCharacters(f.out[checked:])
			if checked += valid; !ok {
				return errNotUTF8
			}
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			return errDeflate
		case f.in.Len()+f.tail.Len() == 0:
			if kind == consumers.Text && checked < len(f.out) {
				return errNotUTF8
			}
			return nil
		}
		if finals++; finals > maxFinalBlocks || f.restart() != nil {
			return errDeflate
		}
	}
}

// step returns room for what comes out next: a little more than the limit at most.
func (f *inflater) step(limit int) []byte {
	want := min(inflateStep, limit+1-len(f.out))
	if cap(f.out)-len(f.out) < want {
		f.out = append(f.out, make([]byte, want)...)[:len(f.out)]
	}
	return f.out[len(f.out) : len(f.out)+want]
}

// maxWindow is how far back a compressed message may refer.
const maxWindow = 32 << 10

// restart begins to read blocks, at the beginning of a message or behind a block that called itself the last.
func (f *inflater) restart() error {
	return f.reader.(flate.Resetter).Reset(f, f.out[max(0, len(f.out)-maxWindow):])
}

// Read implements io.Reader for the decompressor: the payload, then the tail.
func (f *inflater) Read(p []byte) (int, error) {
	if f.in.Len() > 0 {
		return f.in.Read(p)
	}
	return f.tail.Read(p)
}

// ReadByte implements io.ByteReader.
func (f *inflater) ReadByte() (byte, error) {
	if f.in.Len() > 0 {
		return f.in.ReadByte()
	}
	return f.tail.ReadByte()
}
