package djangocompat

import "time"

// SessionCodec reads and writes the text in which Django keeps a session's data: the session_data column
// of django_session. Only Keys is needed. It may be used concurrently.
type SessionCodec struct {
	// Keys sign and verify.
	Keys Keys
	// Salt is "django.contrib.sessions." and the name of the SessionStore class, as a site's own
	// engine may change it. Default: "django.contrib.sessions.SessionStore".
	Salt string
	// MaxSize bounds the JSON text, inflated, in bytes. Default: 1 MiB.
	MaxSize int
	// RefuseLegacy refuses what Django 4.0 and later refuse: the form of Django before 3.1, and
	// SHA-1 signatures.
	RefuseLegacy bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Decode returns the data in text. An error says why there is none, for counting: ErrBadSignature,
// ErrTooLarge, ErrMalformed, ErrPickled. In Django the session is then empty.
// Python: SessionBase.decode.
func (c SessionCodec) Decode(text string) (SessionData, error) { return SessionData{}, ErrMalformed }

// Encode returns d as Django writes it. Python: SessionBase.encode.
func (c SessionCodec) Encode(d SessionData) (string, error) { return "", ErrMalformed }
