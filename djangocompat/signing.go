package djangocompat

import "time"

// Algorithm is the digest of a signature.
type Algorithm uint8

// The digests that Django has used.
const (
	SHA256 Algorithm = iota // Django 3.1 and later
	SHA1                    // before
)

// Compression says whether a signed object may be deflated.
type Compression uint8

// The ways to sign an object.
const (
	Plain    Compression = iota
	Compress             // deflated if that makes it shorter
)

// SignerConfig says how a Signer signs. The zero SignerConfig is Django's default.
type SignerConfig struct {
	// Salt keeps signatures for one purpose from being used for another. Default: the dotted name of
	// Django's class.
	Salt string
	// Sep stands between value and signature. Default: ":".
	Sep string
	// Algorithm is the digest. Default: SHA256.
	Algorithm Algorithm
	// AcceptSHA1 also lets SHA-1 signatures verify, as Django 3.1 and 3.2 do.
	AcceptSHA1 bool
	// MaxSize bounds an object, inflated, in bytes. Default: 1 MiB.
	MaxSize int
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Signer signs text. Python: django.core.signing.Signer.
type Signer struct {
	keys Keys
	cfg  SignerConfig
}

// NewSigner makes a Signer. It refuses a separator that could be part of a signature.
func NewSigner(keys Keys, cfg SignerConfig) (*Signer, error) { return &Signer{keys, cfg}, nil }

// Sign appends a signature to value.
func (s *Signer) Sign(value string) string { return "" }

// Unsign returns the value that was signed.
func (s *Signer) Unsign(signed string) (string, error) { return "", ErrBadSignature }

// SignObject signs the JSON text of v.
func (s *Signer) SignObject(v any, c Compression) (string, error) { return "", ErrMalformed }

// UnsignObject returns the value whose JSON text was signed.
func (s *Signer) UnsignObject(signed string) (any, error) { return nil, ErrBadSignature }

// TimestampSigner signs text together with the time. Python: django.core.signing.TimestampSigner.
type TimestampSigner struct {
	signer Signer
}

// NewTimestampSigner makes a TimestampSigner. It refuses a separator that could be part of a signature.
func NewTimestampSigner(keys Keys, cfg SignerConfig) (*TimestampSigner, error) {
	return &TimestampSigner{Signer{keys, cfg}}, nil
}

// Sign appends the time and a signature to value.
func (s *TimestampSigner) Sign(value string) string { return "" }

// Unsign returns the value that was signed, however long ago.
func (s *TimestampSigner) Unsign(signed string) (string, error) { return "", ErrBadSignature }

// UnsignMaxAge returns the value that was signed no longer than maxAge ago.
func (s *TimestampSigner) UnsignMaxAge(signed string, maxAge time.Duration) (string, error) {
	return "", ErrBadSignature
}

// Dumps signs the JSON text of v together with the time. Python: django.core.signing.dumps.
func Dumps(keys Keys, v any, c Compression, cfg SignerConfig) (string, error) {
	return "", ErrMalformed
}

// Loads returns the value that Dumps signed, however long ago. Python: django.core.signing.loads.
func Loads(keys Keys, text string, cfg SignerConfig) (any, error) { return nil, ErrBadSignature }

// LoadsMaxAge is Loads for what was signed no longer than maxAge ago.
func LoadsMaxAge(keys Keys, text string, maxAge time.Duration, cfg SignerConfig) (any, error) {
	return nil, ErrBadSignature
}
