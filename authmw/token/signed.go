package token

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// maxObject bounds what a signed token holds, inflated, in bytes.
const maxObject = 16 << 10

// foreseen is how far ahead the clock of the machine may be that signed a token.
const foreseen = time.Minute

// signedKind is a Verifier of what signing.dumps makes, which holds characters that a subprotocol must not.
type signedKind interface{ isSigned() }

// SignedConfig says how values that django.core.signing has signed are read as tokens. The zero SignedConfig is a
// good one.
type SignedConfig struct {
	// Salt is what Django's side gives to signing.dumps. A value that the site signs with it for another purpose
	// would let in whom it names, so this is none of Django's own. Default: "belleville.token";
	// "belleville.ticket" for tickets.
	Salt string
	// MaxAge is how long a token is good for. Default: a day; 30 seconds for tickets.
	MaxAge time.Duration
	// UserIDClaim is the key of the user's id, where a dict was signed. Default: "user_id".
	UserIDClaim string
	// UserIDField is the user's column that the id is in. Default: "pk".
	UserIDField string
	// AllowInactive lets in users who are not active.
	AllowInactive bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func (c SignedConfig) withDefaults(salt string, maxAge time.Duration) SignedConfig {
	if c.Salt == "" {
		c.Salt = salt
	}
	if c.MaxAge == 0 {
		c.MaxAge = maxAge
	}
	if c.UserIDClaim == "" {
		c.UserIDClaim = "user_id"
	}
	if c.UserIDField == "" {
		c.UserIDField = "pk"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Check refuses a salt that others sign with. The error is a [*SettingError].
func (c SignedConfig) Check() error {
	if strings.HasPrefix(c.Salt, "django.") {
		return &SettingError{"salt", "it is one of Django's own, which signs other values, too", "use one that is for tokens alone"}
	}
	if c.MaxAge < 0 {
		return &SettingError{"max_age", "it is below 0", "write a positive value"}
	}
	return nil
}

// Signed verifies what Django signs with signing.dumps: a user's id, or a dict with it.
type Signed struct {
	users  Users
	cfg    SignedConfig
	signer *djangocompat.TimestampSigner
}

// NewSigned makes a Signed; keys are SECRET_KEY and its fallbacks.
func NewSigned(users Users, keys djangocompat.Keys, cfg SignedConfig) (*Signed, error) {
	return newSigned(users, keys, cfg.withDefaults("belleville.token", 24*time.Hour))
}

func newSigned(users Users, keys djangocompat.Keys, cfg SignedConfig) (*Signed, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	signer, err := djangocompat.NewTimestampSigner(keys, djangocompat.SignerConfig{Salt: cfg.Salt, MaxSize: maxObject, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	return &Signed{users, cfg, signer}, nil
}

// Kind implements Verifier.
func (*Signed) Kind() string { return "signed" }

func (*Signed) isSigned() {}

// Verify implements Verifier.
func (v *Signed) Verify(ctx context.Context, token, backend string) (*Identity, error) {
	opened, err := v.read(token)
	if err != nil {
		return nil, err
	}
	return v.identity(ctx, opened, backend)
}

// opened is a signed token whose signature and age are right.
type opened struct {
	claims  map[string]any
	id      any
	expires time.Time
}

// read checks signature and age.
func (v *Signed) read(token string) (opened, error) {
	value, err := v.signer.UnsignObject(token, v.cfg.MaxAge)
	switch {
	case errors.Is(err, djangocompat.ErrSignatureExpired):
		return opened{}, refuse(Expired)
	case errors.Is(err, djangocompat.ErrBadSignature):
		return opened{}, refuse(BadSignature)
	case errors.Is(err, djangocompat.ErrTooLarge):
		return opened{}, refuse(TooLarge)
	case err != nil:
		return opened{}, refuse(Malformed)
	}
	signed, ok := signedAt(token)
	if !ok {
		return opened{}, refuse(Malformed)
	}
	if signed.After(v.cfg.Now().Add(foreseen)) {
		return opened{}, refuse(NotYet)
	}
	o := opened{expires: signed.Add(v.cfg.MaxAge), id: value}
	if dict, ok := value.(map[string]any); ok {
		o.claims, o.id = dict, dict[v.cfg.UserIDClaim]
	}
	switch id := o.id.(type) {
	case nil, bool, []any, map[string]any:
		return opened{}, refuse(NoUser)
	case string:
		if id == "" {
			return opened{}, refuse(NoUser)
		}
	}
	if o.claims == nil {
		o.claims = map[string]any{v.cfg.UserIDClaim: o.id}
	}
	return o, nil
}

// identity looks up the user.
func (v *Signed) identity(ctx context.Context, o opened, backend string) (*Identity, error) {
	found, err := v.users.UserByField(ctx, v.cfg.UserIDField, o.id, backend)
	if err != nil {
		return nil, err
	}
	policy := refuseInactive
	if v.cfg.AllowInactive {
		policy = admitInactive
	}
	user, err := admit(found, policy)
	if err != nil {
		return nil, err
	}
	return &Identity{User: user, Claims: o.claims, Expires: o.expires, Ground: ground(user, policy)}, nil
}

// signedAt returns when a value was signed whose signature is right: the second part from behind.
func signedAt(token string) (time.Time, bool) {
	end := strings.LastIndexByte(token, ':')
	if end < 0 {
		return time.Time{}, false
	}
	start := strings.LastIndexByte(token[:end], ':')
	seconds, err := djangocompat.ParseBase62(token[start+1 : end])
	if err != nil || !seconds.IsInt64() || seconds.Int64() < 0 || seconds.Int64() > maxTime {
		return time.Time{}, false
	}
	return time.Unix(seconds.Int64(), 0), true
}
