package djangocompat

import (
	"bytes"
	"math"
	"time"
)

// forever, as the age that a signature may have, is as good as no limit.
const forever = time.Duration(math.MaxInt64)

// TimestampSigner signs text together with the time. It may be used concurrently.
// Python: django.core.signing.TimestampSigner.
type TimestampSigner struct {
	signer Signer
}

// NewTimestampSigner makes a TimestampSigner. It refuses what NewSigner refuses.
func NewTimestampSigner(keys Keys, cfg SignerConfig) (*TimestampSigner, error) {
	return newTimestampSigner(keys, "", cfg.withDefaults("django.core.signing.TimestampSigner"))
}

// NewCookieSigner makes the signer of the cookie name, with the salt that the site gives to
// set_signed_cookie. Python: django.core.signing.get_cookie_signer.
func NewCookieSigner(keys Keys, name, salt string, cfg SignerConfig) (*TimestampSigner, error) {
	cfg.Salt = name + salt
	return newTimestampSigner(keys, "django.http.cookies", cfg.withDefaults("django.core.signing.TimestampSigner"))
}

func newTimestampSigner(keys Keys, prefix string, cfg SignerConfig) (*TimestampSigner, error) {
	s, err := newSigner(keys, prefix, cfg)
	if err != nil {
		return nil, err
	}
	return &TimestampSigner{*s}, nil
}

// Sign appends the time and a signature to value.
func (s *TimestampSigner) Sign(value string) string { return string(s.sign([]byte(value))) }

func (s *TimestampSigner) sign(value []byte) []byte {
	value = append(value, s.signer.cfg.Sep...)
	return s.signer.sign(appendBase62(value, s.signer.cfg.Now().Unix()))
}

// Unsign returns the value that was signed, however long ago. A value that is signed without a time is
// ErrMalformed.
func (s *TimestampSigner) Unsign(signed string) (string, error) {
	return s.UnsignMaxAge(signed, forever)
}

// UnsignMaxAge returns the value that was signed no longer than maxAge ago, else ErrSignatureExpired.
func (s *TimestampSigner) UnsignMaxAge(signed string, maxAge time.Duration) (string, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	w.text = append(w.text[:0], signed...)
	value, err := s.verify(w, maxAge)
	return string(value), err
}

// verify returns the value that is signed in w.text, as a part of it.
func (s *TimestampSigner) verify(w *workspace, maxAge time.Duration) ([]byte, error) {
	stamped, err := s.signer.verify(w)
	if err != nil {
		return nil, err
	}
	i := bytes.LastIndex(stamped, []byte(s.signer.cfg.Sep))
	if i < 0 {
		return nil, ErrMalformed
	}
	seconds, ok := parseTimestamp(stamped[i+len(s.signer.cfg.Sep):])
	if !ok {
		return nil, ErrMalformed
	}
	if maxAge != forever && s.signer.cfg.Now().Sub(time.Unix(seconds, 0)) > maxAge {
		return nil, ErrSignatureExpired
	}
	return stamped[:i], nil
}

// SignObject signs the JSON text of v together with the time. An error means that v has none.
// Python: TimestampSigner.sign_object.
func (s *TimestampSigner) SignObject(v any, c Compression) (string, error) {
	data, err := AppendJSON(nil, v)
	if err != nil {
		return "", err
	}
	return s.SignBytes(data, c), nil
}

// SignBytes signs data, which a serializer has made, together with the time.
func (s *TimestampSigner) SignBytes(data []byte, c Compression) string {
	return string(s.sign(sealPayload(data, c)))
}

// UnsignObject returns the value whose JSON text was signed no longer than maxAge ago.
// Python: TimestampSigner.unsign_object.
func (s *TimestampSigner) UnsignObject(signed string, maxAge time.Duration) (any, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	w.text = append(w.text[:0], signed...)
	payload, err := s.verify(w, maxAge)
	if err != nil {
		return nil, err
	}
	return w.object(payload, s.signer.cfg.MaxSize)
}

// Dumps signs the JSON text of v together with the time. Python: django.core.signing.dumps.
func Dumps(keys Keys, v any, c Compression, cfg SignerConfig) (string, error) {
	s, err := newTimestampSigner(keys, "", cfg.withDefaults("django.core.signing"))
	if err != nil {
		return "", err
	}
	return s.SignObject(v, c)
}

// Loads returns the value that Dumps has signed, however long ago. Python: django.core.signing.loads.
func Loads(keys Keys, text string, cfg SignerConfig) (any, error) {
	return LoadsMaxAge(keys, text, forever, cfg)
}

// LoadsMaxAge is Loads for what was signed no longer than maxAge ago.
func LoadsMaxAge(keys Keys, text string, maxAge time.Duration, cfg SignerConfig) (any, error) {
	s, err := newTimestampSigner(keys, "", cfg.withDefaults("django.core.signing"))
	if err != nil {
		return nil, err
	}
	return s.UnsignObject(text, maxAge)
}
