package cache

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/big"

	"github.com/belleville/belleville/pickle"
)

// maxDigits is how many digits Python takes for an int.
const maxDigits = 4300

// pickledInt returns the pickle of an int that stands in data as text, as Python's int() reads it: Redis keeps
// ints so.
func pickledInt(data []byte) ([]byte, bool) {
	digits := bytes.Trim(data, " \t\n\r\v\f")
	sign := len(digits) > 0 && (digits[0] == '-' || digits[0] == '+')
	bare := digits
	if sign {
		bare = digits[1:]
	}
	if len(bare) == 0 || len(bare) > maxDigits || bare[0] == '_' || bare[len(bare)-1] == '_' || bytes.Contains(bare, []byte("__")) {
		return nil, false
	}
	for _, c := range bare {
		if c != '_' && (c < '0' || c > '9') {
			return nil, false
		}
	}
	n, ok := new(big.Int).SetString(string(bytes.ReplaceAll(digits, []byte("_"), nil)), 10)
	if !ok {
		return nil, false
	}
	var v any = n
	if n.IsInt64() {
		v = n.Int64()
	}
	pickled, err := pickle.Encode(v)
	return pickled, err == nil
}

// inflate undoes zlib, up to limit bytes. What follows the stream is left alone, as the caller's Python does
// or does not: it decides nothing.
func inflate(data []byte, limit int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, ErrMalformed
	}
	return readAll(r, limit)
}

// gunzip undoes gzip, up to limit bytes.
func gunzip(data []byte, limit int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, ErrMalformed
	}
	return readAll(r, limit)
}

func readAll(r io.Reader, limit int) ([]byte, error) {
	plain, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case len(plain) > limit:
		return nil, ErrTooLarge
	case err != nil:
		return nil, ErrMalformed
	}
	return plain, nil
}

func deflate(data []byte) []byte {
	var buf bytes.Buffer
	w := zlib.NewWriter(&buf)
	_, _ = w.Write(data) // a bytes.Buffer takes everything
	_ = w.Close()
	return buf.Bytes()
}

func zip(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(data) // a bytes.Buffer takes everything
	_ = w.Close()
	return buf.Bytes()
}
