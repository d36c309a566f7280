package djangocompat

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"strings"
	"time"
)

var (
	// ErrUnsafeSeparator means that a separator could be part of a signature.
	ErrUnsafeSeparator = errors.New("djangocompat: unsafe separator")

	// ErrNoKey means that there is no SECRET_KEY to sign with.
	ErrNoKey = errors.New("djangocompat: no secret key")
)

// SignerConfig says how a Signer signs. The zero SignerConfig is Django's default.
type SignerConfig struct {
	// Salt keeps signatures for one purpose from being used for another. Default: as in Django, the
	// dotted name of the class; "django.core.signing" for Dumps and Loads.
	Salt string
	// Sep stands between value and signature. Default: ":".
	Sep string
	// Algorithm is the digest. Default: SHA256.
	Algorithm Algorithm
	// AcceptSHA1 lets SHA-1 signatures verify as well, as Django 3.1 and 3.2 do.
	AcceptSHA1 bool
	// MaxSize bounds an object, inflated, in bytes. Default: 1 MiB.
	MaxSize int
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func (c SignerConfig) withDefaults(salt string) SignerConfig {
	if c.Salt == "" {
		c.Salt = salt
	}
	if c.Sep == "" {
		c.Sep = ":"
	}
	if c.MaxSize <= 0 {
		c.MaxSize = defaultMaxSize
	}
	c.MaxSize = min(c.MaxSize, maxMaxSize)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Signer signs text. It may be used concurrently. Python: django.core.signing.Signer.
type Signer struct {
	keys    Keys
	cfg     SignerConfig
	purpose purpose
}

// NewSigner makes a Signer. It refuses a separator that is not safe, and to work without a key.
func NewSigner(keys Keys, cfg SignerConfig) (*Signer, error) {
	return newSigner(keys, "", cfg.withDefaults("django.core.signing.Signer"))
}

func newSigner(keys Keys, prefix string, cfg SignerConfig) (*Signer, error) {
	if strings.IndexFunc(cfg.Sep, separates) < 0 {
		return nil, ErrUnsafeSeparator
	}
	if keys.IsZero() {
		return nil, ErrNoKey
	}
	return &Signer{keys, cfg, purpose{prefix, cfg.Salt, "signer", cfg.Algorithm}}, nil
}

// separates reports whether r makes a separator safe. Django's pattern [A-z0-9-_=] takes in what stands
// between the two alphabets too.
func separates(r rune) bool {
	return (r < 'A' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '='
}

// Sign appends a signature to value.
func (s *Signer) Sign(value string) string { return string(s.sign([]byte(value))) }

func (s *Signer) sign(value []byte) []byte {
	var mac [64]byte
	sum := s.keys.pools(s.purpose)[0].sum(mac[:0], value)
	return appendBase64(append(value, s.cfg.Sep...), sum)
}

// Unsign returns the value that was signed.
func (s *Signer) Unsign(signed string) (string, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	w.text = append(w.text[:0], signed...)
	value, err := s.verify(w)
	return string(value), err
}

// verify returns the value that is signed in w.text, as a part of it.
func (s *Signer) verify(w *workspace) ([]byte, error) {
	i := bytes.LastIndex(w.text, []byte(s.cfg.Sep))
	if i < 0 {
		return nil, ErrBadSignature
	}
	value, sig := w.text[:i], w.text[i+len(s.cfg.Sep):]
	if s.keys.verify(w, s.purpose, value, sig) {
		return value, nil
	}
	if s.cfg.AcceptSHA1 {
		old := s.purpose
		old.algorithm = SHA1
		if s.keys.verify(w, old, value, sig) {
			return value, nil
		}
	}
	return nil, ErrBadSignature
}

// verify reports whether one of the keys made sig of value. Signatures are compared as text: one that
// decodes to the same bytes is not the same.
func (k Keys) verify(w *workspace, p purpose, value, sig []byte) bool {
	for _, pool := range k.pools(p) {
		if pool == nil {
			continue
		}
		want := appendBase64(w.sig[:0], pool.sum(w.mac[:0], value))
		if subtle.ConstantTimeCompare(sig, want) == 1 {
			return true
		}
	}
	return false
}

// SignObject signs the JSON text of v. An error means that v has none. Python: Signer.sign_object.
func (s *Signer) SignObject(v any, c Compression) (string, error) {
	data, err := AppendJSON(nil, v)
	if err != nil {
		return "", err
	}
	return string(s.sign(sealPayload(data, c))), nil
}

// UnsignObject returns the value whose JSON text was signed. Python: Signer.unsign_object.
func (s *Signer) UnsignObject(signed string) (any, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	w.text = append(w.text[:0], signed...)
	payload, err := s.verify(w)
	if err != nil {
		return nil, err
	}
	return w.object(payload, s.cfg.MaxSize)
}

// object returns the value whose JSON text is in payload.
func (w *workspace) object(payload []byte, limit int) (any, error) {
	data, err := w.open(payload, limit)
	if err != nil {
		return nil, err
	}
	return ParseJSON(data)
}
