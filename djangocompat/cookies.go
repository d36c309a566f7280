package djangocompat

import "errors"

// ErrTooManyCookies means that a Cookie header is larger than any browser's.
var ErrTooManyCookies = errors.New("djangocompat: too many cookies")

// ParseCookie reads the value of a Cookie header, whose bytes are Latin-1 characters, as Django does: the
// last of equal names wins. Python: django.http.cookie.parse_cookie.
func ParseCookie(header string) (map[string]string, error) { return nil, nil }

// CookieValue returns what ParseCookie has under name, without a map.
func CookieValue(header, name string) (string, bool) { return "", false }
