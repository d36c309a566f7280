package djangocompat

import (
	"errors"
	"time"
)

// ErrNoCookie means that a request has no cookie of that name.
var ErrNoCookie = errors.New("djangocompat: no such cookie")

// SignedCookie returns the value that the site has signed into the cookie name, however long ago; salt is what
// the site gives to set_signed_cookie. Python: HttpRequest.get_signed_cookie.
func SignedCookie(keys Keys, cookies map[string]string, name, salt string) (string, error) {
	return SignedCookieMaxAge(keys, cookies, name, salt, forever)
}

// SignedCookieMaxAge is SignedCookie for what was signed no longer than maxAge ago.
func SignedCookieMaxAge(keys Keys, cookies map[string]string, name, salt string, maxAge time.Duration) (string, error) {
	text, ok := cookies[name]
	if !ok {
		return "", ErrNoCookie
	}
	s, err := NewCookieSigner(keys, name, salt, SignerConfig{})
	if err != nil {
		return "", err
	}
	return s.UnsignMaxAge(text, maxAge)
}

// Signed returns a copy whose value is signed, for SignedCookie to read.
// Python: HttpResponse.set_signed_cookie.
func (c Cookie) Signed(keys Keys, salt string) (Cookie, error) {
	s, err := NewCookieSigner(keys, c.Name, salt, SignerConfig{})
	if err != nil {
		return c, err
	}
	c.Value = s.Sign(c.Value)
	return c, nil
}
