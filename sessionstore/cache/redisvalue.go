package cache

// compressed is the length above which django-redis compresses a value.
const compressed = 15

// redisValue is how a Redis cache writes its values.
type redisValue struct {
	limit      int
	compressor string
}

// decode returns the Entry of what is stored, of which no more than limit+1 bytes were read.
// Python: RedisSerializer.loads; DefaultClient.decode of django-redis.
func (v redisValue) decode(data []byte) Entry {
	if len(data) > v.limit {
		return Entry{Err: ErrTooLarge}
	}
	if pickled, ok := pickledInt(data); ok {
		return Entry{Value: pickled}
	}
	var plain []byte
	err := ErrMalformed
	switch v.compressor {
	case zlibCompressor:
		plain, err = inflate(data, v.limit)
	case gzipCompressor:
		plain, err = gunzip(data, v.limit)
	}
	switch {
	case err == ErrTooLarge:
		return Entry{Err: err}
	case err != nil: // what cannot be decompressed is taken as it is
		return Entry{Value: data}
	default:
		return Entry{Value: plain}
	}
}

// encode returns what is stored for a pickle.
func (v redisValue) encode(pickled []byte) []byte {
	if len(pickled) <= compressed {
		return pickled
	}
	switch v.compressor {
	case zlibCompressor:
		return deflate(pickled)
	case gzipCompressor:
		return zip(pickled)
	default:
		return pickled
	}
}
