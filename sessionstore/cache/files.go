package cache

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/belleville/belleville/internal/swapfile"
)

const (
	fileSuffix = ".djcache"
	// tempPrefix begins the names of files that are being written; Django does not take them for entries.
	tempPrefix = "tmp"
	// maxHeader is how much longer than its value a file may be: the pickle of its date, and what zlib adds
	// to what does not get smaller.
	maxHeader = 1024
)

// files is the cache in a folder. Python: django.core.cache.backends.filebased. It removes nothing by itself:
// Django does that, when there are more than MAX_ENTRIES.
type files struct{ cfg Config }

func newFiles(cfg Config) *files { return &files{cfg} }

// path returns the file of a key.
func (f *files) path(key string) string {
	sum := md5.Sum([]byte(f.cfg.FullKey(key)))
	return filepath.Join(f.cfg.Location[0], hex.EncodeToString(sum[:])+fileSuffix)
}

// GetMany implements Cache.
func (f *files) GetMany(_ context.Context, keys []string) (map[string]Entry, error) {
	found := make(map[string]Entry, len(keys))
	for _, key := range keys {
		content, _, err := swapfile.Read(f.path(key), f.cfg.MaxValue+maxHeader)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, swapfile.ErrTooLarge):
			found[key] = Entry{Err: ErrTooLarge}
			continue
		case err != nil:
			return nil, &Error{fileFault(err)}
		}
		if e, ok := decodeFile(content, f.cfg.MaxValue, f.cfg.Now()); ok {
			e.Token = content
			found[key] = e
		}
	}
	return found, nil
}

// decodeFile returns the Entry in a file, if it has not expired. The file holds the pickle of a date and the
// compressed pickle of the value. Python: FileBasedCache.get.
func decodeFile(content []byte, limit int, now time.Time) (Entry, bool) {
	if len(content) == 0 { // Django takes it for expired
		return Entry{}, false
	}
	expires, rest, ok := readDate(content)
	if !ok {
		return Entry{Err: ErrMalformed}, true
	}
	if expires < float64(now.UnixMicro())/1e6 {
		return Entry{}, false
	}
	value, err := inflate(rest, limit)
	return Entry{Value: value, Err: err}, true
}

// readDate reads the pickle of a Unix time, a float, an int or None, which is never, and returns what follows.
func readDate(data []byte) (expires float64, rest []byte, ok bool) {
	const (
		proto, frame, stop                    = 0x80, 0x95, '.'
		float, int32op, int16op, int8op, none = 'G', 'J', 'M', 'K', 'N'
		longop                                = 0x8a
	)
	if len(data) > 2 && data[0] == proto {
		data = data[2:]
	}
	if len(data) > 9 && data[0] == frame {
		data = data[9:]
	}
	if len(data) < 2 {
		return 0, nil, false
	}
	op, data := data[0], data[1:]
	size := map[byte]int{float: 8, int32op: 4, int16op: 2, int8op: 1}[op]
	if op == longop {
		size, data = int(data[0]), data[1:]
	}
	if op != none && (size == 0 || size > 8) || len(data) <= size || data[size] != stop {
		return 0, nil, false
	}
	var number [8]byte
	copy(number[:], data[:size])
	switch op {
	case float:
		expires = math.Float64frombits(binary.BigEndian.Uint64(number[:]))
	case int32op:
		expires = float64(int32(binary.LittleEndian.Uint32(number[:])))
	case int16op, int8op:
		expires = float64(binary.LittleEndian.Uint64(number[:]))
	case longop:
		shift := 64 - 8*size // the sign is in the last byte
		expires = float64(int64(binary.LittleEndian.Uint64(number[:])<<shift) >> shift)
	default:
		expires = math.Inf(1)
	}
	return expires, data[size+1:], !math.IsNaN(expires)
}

// encode makes the content of a file.
func (f *files) encode(value []byte, life time.Duration) ([]byte, error) {
	packed := deflate(value)
	if max(len(value), len(packed)) > f.cfg.MaxValue {
		return nil, ErrTooLarge
	}
	expires := float64(f.cfg.Now().Add(life).UnixMicro()) / 1e6
	content := append([]byte{0x80, 4, 'G'}, binary.BigEndian.AppendUint64(nil, math.Float64bits(expires))...)
	return append(append(content, '.'), packed...), nil
}

// Add implements Cache.
func (f *files) Add(ctx context.Context, key string, value []byte, life time.Duration) (bool, error) {
	content, err := f.prepare(value, life)
	if err != nil {
		return false, err
	}
	err = swapfile.Create(f.path(key), tempPrefix, content)
	if !errors.Is(err, fs.ErrExist) {
		return err == nil, fileError(err)
	}
	there, err := f.GetMany(ctx, []string{key})
	if _, ok := there[key]; ok || err != nil {
		return false, err
	}
	return true, fileError(swapfile.Write(f.path(key), tempPrefix, content)) // what is there has expired
}

// Swap implements Cache.
func (f *files) Swap(_ context.Context, key string, old Entry, value []byte, life time.Duration) (bool, error) {
	content, err := f.prepare(value, life)
	if err != nil {
		return false, err
	}
	before, _ := old.Token.([]byte)
	err = swapfile.Replace(f.path(key), tempPrefix, before, content)
	if errors.Is(err, swapfile.ErrChanged) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, fileError(err)
}

// Set implements Cache.
func (f *files) Set(_ context.Context, key string, value []byte, life time.Duration) error {
	content, err := f.prepare(value, life)
	if err != nil {
		return err
	}
	return fileError(swapfile.Write(f.path(key), tempPrefix, content))
}

// prepare makes the content of a file, and its folder, which Django lets go away at any time.
func (f *files) prepare(value []byte, life time.Duration) ([]byte, error) {
	content, err := f.encode(value, life)
	if err != nil {
		return nil, err
	}
	return content, fileError(os.MkdirAll(f.cfg.Location[0], 0o700))
}

// Delete implements Cache.
func (f *files) Delete(_ context.Context, key string) error {
	if err := os.Remove(f.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return fileError(err)
	}
	return nil
}

// Close implements Cache.
func (f *files) Close() {}

func fileError(err error) error {
	if err == nil {
		return nil
	}
	return &Error{fileFault(err)}
}

func fileFault(err error) Fault {
	if errors.Is(err, fs.ErrPermission) {
		return FaultForbidden
	}
	return FaultOther
}
