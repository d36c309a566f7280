package djangocompat

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const masked = "********"

// Secret is text that is never printed: however it is formatted, logged or encoded, asterisks come out.
type Secret struct {
	text *string // a pointer, so that fmt finds nothing in an unexported field either
}

// NewSecret makes a Secret of text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself, for whoever must use it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the Secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal reports whether both are the same text, in a time that does not tell how much of it is.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String implements fmt.Stringer; it does not reveal.
func (s Secret) String() string { return masked }

// GoString implements fmt.GoStringer; it does not reveal.
func (s Secret) GoString() string { return masked }

// Format implements fmt.Formatter: no verb reveals.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue implements slog.LogValuer; it does not reveal.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText implements encoding.TextMarshaler; it does not reveal.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalJSON implements json.Marshaler; it does not reveal.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// UnmarshalText implements encoding.TextUnmarshaler: a configuration file may hold a Secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// Keys are SECRET_KEY and SECRET_KEY_FALLBACKS, with what is derived from them. They are never printed,
// are cheap to copy, and may be used concurrently. The zero Keys signs and verifies nothing.
type Keys struct {
	ring *keyring // a pointer, as in Secret
}

// NewKeys makes Keys of SECRET_KEY and SECRET_KEY_FALLBACKS: secret signs, each of them verifies. A key
// that is empty verifies nothing.
func NewKeys(secret string, fallbacks ...string) Keys {
	secrets := []Secret{NewSecret(secret)}
	for _, f := range fallbacks {
		secrets = append(secrets, NewSecret(f))
	}
	return Keys{newKeyring(secrets)}
}

// Apart returns Keys of each key alone, SECRET_KEY first.
func (k Keys) Apart() []Keys {
	if k.ring == nil {
		return nil
	}
	apart := make([]Keys, len(k.ring.secrets))
	for i, s := range k.ring.secrets {
		apart[i] = Keys{newKeyring([]Secret{s})}
	}
	return apart
}

// IsZero reports whether there is no key to sign with.
func (k Keys) IsZero() bool { return k.ring == nil || k.ring.secrets[0].IsZero() }

// String implements fmt.Stringer; it does not reveal.
func (k Keys) String() string { return masked }

// GoString implements fmt.GoStringer; it does not reveal.
func (k Keys) GoString() string { return masked }

// Format implements fmt.Formatter: no verb reveals.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue implements slog.LogValuer; it does not reveal.
func (k Keys) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText implements encoding.TextMarshaler; it does not reveal.
func (k Keys) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalJSON implements json.Marshaler; it does not reveal.
func (k Keys) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }
