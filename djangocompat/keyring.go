package djangocompat

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
)

// Algorithm is the digest of a signature.
type Algorithm uint8

// The digests. Django has used the first since 3.1 and the second before; a site's own code may name the
// others.
const (
	SHA256 Algorithm = iota
	SHA1
	SHA384
	SHA512
	MD5
)

func (a Algorithm) new() hash.Hash {
	switch a {
	case SHA1:
		return sha1.New()
	case SHA384:
		return sha512.New384()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New()
	default:
		return sha256.New()
	}
}

// SaltedHMAC returns the HMAC of value under a key made of salt and secret.
// Python: django.utils.crypto.salted_hmac.
func SaltedHMAC(salt, value, secret string, a Algorithm) []byte {
	mac := hmac.New(a.new, derivedKey(salt, secret, a))
	mac.Write([]byte(value))
	return mac.Sum(nil)
}

func derivedKey(salt, secret string, a Algorithm) []byte {
	h := a.new()
	h.Write([]byte(salt))
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// maxPurposes bounds what a keyring remembers. A site has a handful of salts; one more than this is
// derived anew each time.
const maxPurposes = 64

// purpose is what a derived key is for.
type purpose struct {
	prefix    string // goes before the secret: cookies have one
	salt      string
	suffix    string // goes behind the salt
	algorithm Algorithm
}

// keyring holds the keys and the HMAC states that were derived from them.
type keyring struct {
	// Set at birth, never changed.
	secrets []Secret // the first one signs; never empty

	mu   sync.RWMutex // guards the field below
	macs map[purpose][]*macPool
}

func newKeyring(secrets []Secret) *keyring {
	return &keyring{secrets: secrets, macs: make(map[purpose][]*macPool)}
}

// macPool holds HMACs under one key, ready to be fed: the key's own blocks are hashed already.
type macPool struct {
	pool sync.Pool
}

func newMACPool(p purpose, secret string) *macPool {
	key := derivedKey(p.salt+p.suffix, p.prefix+secret, p.algorithm)
	m := &macPool{}
	m.pool.New = func() any { return hmac.New(p.algorithm.new, key) }
	return m
}

// sum appends the HMAC of value to dst.
func (m *macPool) sum(dst, value []byte) []byte {
	mac := m.pool.Get().(hash.Hash)
	mac.Reset()
	mac.Write(value)
	dst = mac.Sum(dst)
	m.pool.Put(mac)
	return dst
}

// pools returns one macPool for each key, in the order of the keys; nil for a key that is empty.
func (k Keys) pools(p purpose) []*macPool {
	if k.ring == nil {
		return nil
	}
	return k.ring.pools(p)
}

func (r *keyring) pools(p purpose) []*macPool {
	r.mu.RLock()
	pools, ok := r.macs[p]
	r.mu.RUnlock()
	if ok {
		return pools
	}
	pools = make([]*macPool, len(r.secrets))
	for i, s := range r.secrets {
		if !s.IsZero() {
			pools[i] = newMACPool(p, s.Reveal())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.macs) < maxPurposes {
		r.macs[p] = pools
	}
	return pools
}
