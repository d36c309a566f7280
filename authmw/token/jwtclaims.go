package token

import (
	"math"
	"math/big"
	"slices"
	"time"
)

// maxTime is the end of the year 9999, which is as far as Python's datetime goes, in seconds since 1970.
const maxTime = 253402300799

// check checks the claims that have a meaning, in the order in which PyJWT and simplejwt do, and returns when the
// token expires.
func (v *JWT) check(claims map[string]any) (time.Time, error) {
	now := v.cfg.Now().Unix()
	leeway := int64(v.cfg.Leeway / time.Second)
	for _, name := range []string{"iat", "nbf"} {
		value, ok := claims[name]
		if !ok {
			continue
		}
		at, ok := seconds(value)
		if !ok {
			return time.Time{}, refuse(Malformed)
		}
		if name == "nbf" {
			at = math.Floor(at)
		}
		if at > float64(now+leeway) {
			return time.Time{}, refuse(NotYet)
		}
	}
	exp, ok := seconds(claims["exp"])
	if !ok || exp > maxTime { // a token without an end is none
		return time.Time{}, refuse(Malformed)
	}
	if math.Floor(exp) <= float64(now-leeway) {
		return time.Time{}, refuse(Expired)
	}
	if err := v.checkMeaning(claims); err != nil {
		return time.Time{}, err
	}
	return time.Unix(int64(exp), 0).Add(v.cfg.Leeway), nil
}

// checkMeaning checks what a token is for.
func (v *JWT) checkMeaning(claims map[string]any) error {
	if v.cfg.Issuer != "" && claims["iss"] != any(v.cfg.Issuer) {
		return refuse(WrongAudience)
	}
	if len(v.cfg.Audience) > 0 && !v.forUs(claims["aud"]) {
		return refuse(WrongAudience)
	}
	if _, ok := claims[v.cfg.JTIClaim]; !ok && v.cfg.JTIClaim != NoClaim {
		return refuse(Malformed)
	}
	if v.cfg.TokenTypeClaim == NoClaim {
		return nil
	}
	if kind, ok := claims[v.cfg.TokenTypeClaim].(string); !ok || !slices.Contains(v.cfg.TokenTypes, kind) {
		return refuse(WrongType)
	}
	return nil
}

// forUs reports whether the audience of a token, a text or a list of texts, has one of ours.
func (v *JWT) forUs(aud any) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	found := false
	for _, a := range list {
		text, ok := a.(string)
		if !ok {
			return false
		}
		found = found || slices.Contains(v.cfg.Audience, text)
	}
	return found
}

// seconds reads a number of seconds since 1970. A text that is a number, which Python takes for iat and nbf and then
// trips over, is none.
func seconds(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, !math.IsInf(f, 0)
	default:
		return 0, false
	}
}
