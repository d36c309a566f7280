package djangocompat

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// ErrBadCookie means that a cookie cannot be written: its name or an attribute is not allowed.
var ErrBadCookie = errors.New("djangocompat: cookie cannot be written")

// Cookie is what a Set-Cookie header says.
type Cookie struct {
	Name     string
	Value    string
	Domain   string    // left out if empty
	Path     string    // left out if empty; Django's is "/"
	Expires  time.Time // left out if zero
	SameSite string    // "Lax", "Strict", "None" in any case; left out if empty
	HTTPOnly bool
	Secure   bool

	age    time.Duration
	hasAge bool
}

// WithMaxAge returns a copy that the browser keeps for age from now; where there is no other date in
// Expires, it gets that date too, for browsers that do not know Max-Age.
func (c Cookie) WithMaxAge(age time.Duration, now time.Time) Cookie {
	c.age, c.hasAge = age, true
	if c.Expires.IsZero() {
		c.Expires = now.Add(age)
	}
	return c
}

// Deleted returns a copy that makes the browser forget the cookie.
// Python: HttpResponse.delete_cookie.
func (c Cookie) Deleted() Cookie {
	c.Value = ""
	c.Expires = time.Unix(0, 0)
	c.age, c.hasAge = 0, true
	return c
}

// Header returns the value of the Set-Cookie header, with quotes and escapes where the value needs them,
// or ErrBadCookie. Python: http.cookies.Morsel.OutputString.
func (c Cookie) Header() (string, error) {
	if !c.writable() {
		return "", ErrBadCookie
	}
	var b strings.Builder
	b.WriteString(c.Name + "=")
	writeCookieValue(&b, c.Value)
	writeAttribute(&b, "Domain", c.Domain)
	if !c.Expires.IsZero() {
		writeAttribute(&b, "expires", c.Expires.UTC().Format(http.TimeFormat))
	}
	if c.HTTPOnly {
		b.WriteString("; HttpOnly")
	}
	if c.hasAge {
		writeAttribute(&b, "Max-Age", strings.TrimSuffix(string(appendFloat(nil, c.age.Seconds())), ".0"))
	}
	writeAttribute(&b, "Path", c.Path)
	writeAttribute(&b, "SameSite", c.SameSite)
	if c.Secure {
		b.WriteString("; Secure")
	}
	return b.String(), nil
}

func writeAttribute(b *strings.Builder, name, value string) {
	if value != "" {
		b.WriteString("; " + name + "=" + value)
	}
}

func (c Cookie) writable() bool {
	switch strings.ToLower(c.Name) {
	case "comment", "domain", "expires", "httponly", "max-age", "path", "samesite", "secure", "version":
		return false
	}
	switch strings.ToLower(c.SameSite) {
	case "", "lax", "none", "strict":
	default:
		return false
	}
	attributes := c.Domain + c.Path
	return isCookieToken(c.Name) && strings.IndexFunc(attributes, isControl) < 0
}

func isControl(r rune) bool { return r < ' ' || r == 0x7F }

// isCookieToken reports whether s needs no quotes.
func isCookieToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isTokenRune(r) }) < 0
}

func isTokenRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		r != 0 && r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~:", r)
}

func writeCookieValue(b *strings.Builder, value string) {
	if isCookieToken(value) {
		b.WriteString(value)
		return
	}
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r > 0xFF || isTokenRune(r) || strings.ContainsRune(" ()/<=>?@[]{}", r):
			b.WriteRune(r)
		default:
			b.Write([]byte{'\\', '0' + byte(r>>6), '0' + byte(r>>3&7), '0' + byte(r&7)})
		}
	}
	b.WriteByte('"')
}
