package token

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/belleville/belleville/djangocompat"
)

// NoClaim is the name of a claim that is not checked: None in SIMPLE_JWT.
const NoClaim = "-"

// JWTConfig is SIMPLE_JWT. Names and defaults are simplejwt's.
type JWTConfig struct {
	// Algorithm signs all tokens; one that names another is refused: HS256, HS384, HS512, and RS, PS and ES of
	// these sizes, and EdDSA. Default: HS256.
	Algorithm string
	// SigningKey is the key of the HS algorithms. simplejwt's default is SECRET_KEY.
	SigningKey djangocompat.Secret
	// VerifyingKey is the public key of the others, or a certificate, as PEM.
	VerifyingKey string
	// JWKURL is where public keys are, instead: https, or http on this machine.
	JWKURL string
	// Audience is AUDIENCE: one of them must be in the token. Default: that is not checked.
	Audience []string
	// Issuer is ISSUER. Default: that is not checked.
	Issuer string
	// Leeway is LEEWAY.
	Leeway time.Duration
	// UserIDField is USER_ID_FIELD, the user's column. Default: "id"; "pk" is the primary key's column.
	UserIDField string
	// UserIDClaim is USER_ID_CLAIM. Default: "user_id".
	UserIDClaim string
	// TokenTypeClaim is TOKEN_TYPE_CLAIM. Default: "token_type".
	TokenTypeClaim string
	// TokenTypes are the types of AUTH_TOKEN_CLASSES. Default: "access".
	TokenTypes []string
	// JTIClaim is JTI_CLAIM. Default: "jti".
	JTIClaim string
	// CheckRevokeToken is CHECK_REVOKE_TOKEN: a token made before the user's password changed is refused.
	CheckRevokeToken bool
	// RevokeTokenClaim is REVOKE_TOKEN_CLAIM. Default: "hash_password".
	RevokeTokenClaim string
	// AllowInactive is the opposite of CHECK_USER_IS_ACTIVE.
	AllowInactive bool
	// Blacklist refuses tokens in the tables of token_blacklist. simplejwt itself asks these for sliding and
	// refresh tokens alone. sessionstore.TokenTables has to say so, too.
	Blacklist bool

	// Client fetches the keys. Default: one that gives up after 5 seconds.
	Client *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func (c JWTConfig) withDefaults() JWTConfig {
	for _, d := range []struct {
		value     *string
		otherwise string
	}{
		{&c.Algorithm, "HS256"},
		{&c.UserIDField, "id"},
		{&c.UserIDClaim, "user_id"},
		{&c.TokenTypeClaim, "token_type"},
		{&c.JTIClaim, "jti"},
		{&c.RevokeTokenClaim, "hash_password"},
	} {
		if *d.value == "" {
			*d.value = d.otherwise
		}
	}
	if len(c.TokenTypes) == 0 {
		c.TokenTypes = []string{"access"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// JWT verifies JSON web tokens as simplejwt makes them.
// Python: rest_framework_simplejwt.authentication.JWTAuthentication.
type JWT struct {
	users  Users
	cfg    JWTConfig
	method jwt.SigningMethod
	key    any   // of the kind that method wants; nil where the keys are fetched
	keys   *jwks // nil where there is one key
}

// NewJWT makes a JWT. The error is a [*SettingError]. Keys behind a URL are fetched in the background.
func NewJWT(users Users, cfg JWTConfig) (*JWT, error) {
	cfg = cfg.withDefaults()
	key, err := cfg.check()
	if err != nil {
		return nil, err
	}
	v := &JWT{users: users, cfg: cfg, method: jwt.GetSigningMethod(cfg.Algorithm), key: key}
	if cfg.JWKURL != "" {
		v.keys = newJWKS(cfg)
	}
	return v, nil
}

// Check refuses what NewJWT would refuse. The error is a [*SettingError].
func (c JWTConfig) Check() error {
	_, err := c.withDefaults().check()
	return err
}

// check returns the key, or nil where the keys are fetched.
func (c JWTConfig) check() (any, error) {
	if !slices.Contains(Algorithms(), c.Algorithm) {
		return nil, &SettingError{"algorithm", "it is not known", "write one of " + strings.Join(Algorithms(), ", ")}
	}
	if c.Leeway < 0 {
		return nil, &SettingError{"leeway", "it is below 0", "write a positive value, or take it out"}
	}
	if c.JWKURL != "" {
		return nil, c.checkURL()
	}
	return staticKey(c)
}

// Algorithms returns the names of the algorithms that a JWT may be signed by.
func Algorithms() []string {
	return []string{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	}
}

// Kind implements Verifier.
func (*JWT) Kind() string { return "simplejwt" }

// Verify implements Verifier. The signature is checked before the claims are read, and the algorithm is the
// configured one, whatever the token says.
func (v *JWT) Verify(ctx context.Context, token, backend string) (*Identity, error) {
	claims, err := v.open(token)
	if err != nil {
		return nil, err
	}
	expires, err := v.check(claims)
	if err != nil {
		return nil, err
	}
	jti := ""
	if v.cfg.Blacklist {
		if jti, err = v.checkBlacklist(ctx, claims); err != nil {
			return nil, err
		}
	}
	id, ok := claims[v.cfg.UserIDClaim]
	if !ok {
		return nil, refuse(NoUser)
	}
	found, err := v.users.UserByField(ctx, v.cfg.UserIDField, id, backend)
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
	g := ground(user, policy)
	g.JTI = jti
	if v.cfg.CheckRevokeToken {
		if g.PasswordSum, _ = claims[v.cfg.RevokeTokenClaim].(string); !found.PasswordSumIs(g.PasswordSum) {
			return nil, refuse(Revoked)
		}
	}
	return &Identity{User: user, Claims: claims, Expires: expires, Ground: g}, nil
}

// checkBlacklist refuses a token whose id is in the blacklist, and returns the id. One without an id cannot be in it, and is refused:
// nobody could take it back.
func (v *JWT) checkBlacklist(ctx context.Context, claims map[string]any) (jti string, err error) {
	name := v.cfg.JTIClaim
	if name == NoClaim {
		name = "jti"
	}
	jti, ok := claims[name].(string)
	if !ok || jti == "" {
		return "", refuse(Malformed)
	}
	listed, err := v.users.TokenBlacklisted(ctx, jti)
	switch {
	case err != nil:
		return "", err
	case listed:
		return "", refuse(Revoked)
	}
	return jti, nil
}

// open checks the signature and returns the claims.
func (v *JWT) open(token string) (map[string]any, error) {
	signed, signature, ok := cutLast(token)
	head, payload, two := strings.Cut(signed, ".")
	if !ok || !two || strings.Contains(payload, ".") {
		return nil, refuse(Malformed)
	}
	header, err := object(head)
	if err != nil {
		return nil, err
	}
	if alg, _ := header["alg"].(string); alg != v.cfg.Algorithm {
		return nil, refuse(BadAlgorithm)
	}
	if plain, ok := header["b64"].(bool); ok && !plain { // RFC 7797: the payload would be elsewhere
		return nil, refuse(Malformed)
	}
	mac, ok := segment(signature)
	if !ok {
		return nil, refuse(Malformed)
	}
	if err := v.verify(signed, mac, header); err != nil {
		return nil, err
	}
	return object(payload)
}

// verify checks the signature of what is signed.
func (v *JWT) verify(signed string, signature []byte, header map[string]any) error {
	key := v.key
	if v.keys != nil {
		var err error
		if key, err = v.keys.find(header); err != nil {
			return err
		}
	}
	set, several := key.(jwt.VerificationKeySet)
	if !several {
		set.Keys = []jwt.VerificationKey{key}
	}
	for _, k := range set.Keys {
		if v.method.Verify(signed, signature, k) == nil {
			return nil
		}
	}
	return refuse(BadSignature)
}

// cutLast cuts text at its last dot.
func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// segment decodes a part of a token. PyJWT takes the standard alphabet of base64 and its padding, too, and does not
// look at bits that are left over.
func segment(text string) ([]byte, bool) {
	text = strings.TrimRight(text, "=")
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte("-_+/", c) < 0 {
			return nil, false
		}
	}
	if strings.ContainsAny(text, "+/") {
		text = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	return data, err == nil
}

// object decodes a part of a token that is a JSON object, as Python's json does.
func object(text string) (map[string]any, error) {
	data, ok := segment(text)
	if !ok || !utf8.Valid(data) {
		return nil, refuse(Malformed)
	}
	v, err := djangocompat.ParseJSON(escaped(data))
	dict, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, refuse(Malformed)
	}
	return dict, nil
}

// byteOrderMark may stand before JSON, says Python.
const byteOrderMark = "\uFEFF"

// escaped returns JSON in UTF-8 with the characters escaped that are not ASCII.
func escaped(data []byte) []byte {
	text := strings.TrimPrefix(string(data), byteOrderMark)
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return []byte(text)
	}
	var b []byte
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r <= 0xFFFF:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		}
	}
	return b
}
