package djangocompat

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	sessionSaltPrefix  = "django.contrib.sessions"
	defaultSessionSalt = sessionSaltPrefix + ".SessionStore"
)

// SessionCodec reads and writes the text in which Django keeps a session's data: the session_data column
// of django_session. Only Keys is needed. It may be used concurrently.
type SessionCodec struct {
	// Keys sign and verify.
	Keys Keys
	// Salt is "django.contrib.sessions." and the name of the SessionStore class, which a site's own
	// engine may change. Default: "django.contrib.sessions.SessionStore".
	Salt string
	// Serializer is the site's SESSION_SERIALIZER. Default: JSONSerializer.
	Serializer Serializer
	// MaxSize bounds the JSON text or the pickle, inflated, in bytes. Default: 1 MiB.
	MaxSize int
	// AcceptSHA1 lets SHA-1 signatures verify as well, as Django 3.1 and 3.2 do.
	AcceptSHA1 bool
	// RefuseLegacy refuses the form of Django before 3.1, as Django 4.0 and later do.
	RefuseLegacy bool
	// WriteLegacy writes that form, which is the only one that Django before 3.1 reads; a cookie it signs with
	// SHA-1.
	WriteLegacy bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func (c SessionCodec) signer() TimestampSigner {
	cfg := SignerConfig{Salt: c.Salt, AcceptSHA1: c.AcceptSHA1, MaxSize: c.MaxSize, Now: c.Now}
	cfg = cfg.withDefaults(defaultSessionSalt)
	return TimestampSigner{Signer{c.Keys, cfg, purpose{"", cfg.Salt, "signer", SHA256}}}
}

// Decode returns the data in text. An error says why there is none, for counting: ErrBadSignature,
// ErrTooLarge, ErrMalformed, or ErrPickled where the serializer is JSON and the data is a pickle. In Django
// the session is then empty. Python: SessionBase.decode.
func (c SessionCodec) Decode(text string) (SessionData, error) {
	return c.decode(text, forever)
}

// DecodeAny is Decode of what either serializer has written.
func (c SessionCodec) DecodeAny(text string) (SessionData, error) {
	c.Serializer = JSONSerializer
	d, err := c.Decode(text)
	if err == ErrPickled {
		c.Serializer = PickleSerializer
		return c.Decode(text)
	}
	return d, err
}

// DecodeMaxAge is Decode for text that was signed no longer than maxAge ago, else ErrSignatureExpired: a
// signed cookie, which has no other date, and no form of its own before Django 3.1.
func (c SessionCodec) DecodeMaxAge(text string, maxAge time.Duration) (SessionData, error) {
	c.RefuseLegacy = true
	return c.decode(text, maxAge)
}

func (c SessionCodec) decode(text string, maxAge time.Duration) (SessionData, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	data, err := c.open(w, text, maxAge)
	if err != nil {
		return SessionData{}, err
	}
	return c.Serializer.load(data, c.signer().signer.cfg.MaxSize)
}

// DecodeBytes returns what the site's serializer has made of the data in text: JSON, or a pickle.
func (c SessionCodec) DecodeBytes(text string) ([]byte, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	data, err := c.open(w, text, forever)
	return bytes.Clone(data), err
}

// open returns the serialized data in text; it is valid until w is released.
func (c SessionCodec) open(w *workspace, text string, maxAge time.Duration) ([]byte, error) {
	s := c.signer()
	if len(text)/2 > s.signer.cfg.MaxSize+4096 { // base64 makes four characters of three bytes
		return nil, ErrTooLarge
	}
	w.text = append(w.text[:0], text...)
	payload, err := s.verify(w, maxAge)
	if err == ErrBadSignature && !c.RefuseLegacy {
		return c.openLegacy(w, s.signer.cfg)
	}
	if err != nil {
		return nil, err
	}
	return w.open(payload, s.signer.cfg.MaxSize)
}

// openLegacy reads the form of Django before 3.1, base64 of "hex of a SHA-1 HMAC:data".
func (c SessionCodec) openLegacy(w *workspace, cfg SignerConfig) ([]byte, error) {
	var ok bool
	if w.payload, ok = appendStdBase64(w.payload[:0], w.text); !ok || !isASCII(w.text) {
		return nil, ErrBadSignature
	}
	sig, data, ok := bytes.Cut(w.payload, []byte(":"))
	if !ok || !c.verifyLegacy(w, cfg.Salt, sig, data) {
		return nil, ErrBadSignature
	}
	if len(data) > cfg.MaxSize {
		return nil, ErrTooLarge
	}
	return data, nil
}

// legacyPurpose is that of the form of Django before 3.1, whose salt has no dot before the class's name.
func legacyPurpose(salt string) purpose {
	return purpose{salt: sessionSaltPrefix, suffix: salt[strings.LastIndexByte(salt, '.')+1:], algorithm: SHA1}
}

// sealLegacy is the reverse of openLegacy.
func (c SessionCodec) sealLegacy(salt string, data []byte) string {
	sum := c.Keys.pools(legacyPurpose(salt))[0].sum(nil, data)
	text := append(append(hex.AppendEncode(nil, sum), ':'), data...)
	return base64.StdEncoding.EncodeToString(text)
}

func (c SessionCodec) verifyLegacy(w *workspace, salt string, sig, data []byte) bool {
	for _, pool := range c.Keys.pools(legacyPurpose(salt)) {
		if pool == nil {
			continue
		}
		want := hex.AppendEncode(w.sig[:0], pool.sum(w.mac[:0], data))
		if subtle.ConstantTimeCompare(sig, want) == 1 {
			return true
		}
	}
	return false
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Encode returns d as Django 3.1 and later write it, unless WriteLegacy is set. An error means that there is no key, or that d is of a
// pickle with values that the serializer, JSON, cannot represent. Python: SessionBase.encode.
func (c SessionCodec) Encode(d SessionData) (string, error) {
	data, err := c.Serializer.dump(d)
	if err != nil {
		return "", err
	}
	return c.EncodeBytes(data)
}

// EncodeCookie returns d as the cookie that DecodeMaxAge reads. Python: signing.dumps in signed_cookies.
func (c SessionCodec) EncodeCookie(d SessionData) (string, error) {
	if c.Keys.IsZero() {
		return "", ErrNoKey
	}
	data, err := c.Serializer.dump(d)
	if err != nil {
		return "", err
	}
	s := c.signer()
	if c.WriteLegacy {
		s.signer.purpose.algorithm = SHA1
	}
	return s.SignBytes(data, Compress), nil
}

// EncodeBytes returns what Encode would, for data that another serializer has made.
func (c SessionCodec) EncodeBytes(data []byte) (string, error) {
	if c.Keys.IsZero() {
		return "", ErrNoKey
	}
	s := c.signer()
	if c.WriteLegacy {
		return c.sealLegacy(s.signer.cfg.Salt, data), nil
	}
	return s.SignBytes(data, Compress), nil
}
