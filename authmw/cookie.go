package authmw

import (
	"net/http"
	"slices"
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

// Omit, as the path or SameSite of a cookie, leaves that attribute out, as None does in Django's settings.
const Omit = "-"

// attribute returns what an attribute of a cookie is to say.
func attribute(given, standard string) string {
	switch given {
	case "":
		return standard
	case Omit:
		return ""
	default:
		return given
	}
}

// cookie returns the session cookie with a value.
func (c Config) cookie(value string) djangocompat.Cookie {
	return djangocompat.Cookie{
		Name: c.CookieName, Value: value, Domain: c.CookieDomain, Path: attribute(c.CookiePath, "/"),
		SameSite: attribute(c.CookieSameSite, "Lax"), HTTPOnly: !c.CookieScriptable, Secure: c.CookieSecure,
	}
}

// setCookie returns the Set-Cookie header that gives a browser a session.
func (c Config) setCookie(session *djangocompat.Session) (string, error) {
	cookie := c.cookie(session.Key())
	if !session.ExpiresAtBrowserClose(c.Expiry) {
		cookie = cookie.WithMaxAge(session.ExpiryAge(c.Expiry), c.now())
	}
	return cookie.Header()
}

// deleteCookie returns the Set-Cookie header that takes the session away from a browser. It is Secure only
// where a browser would refuse it otherwise. Python: HttpResponse.delete_cookie.
func (c Config) deleteCookie() (string, error) {
	cookie := c.cookie("")
	cookie.HTTPOnly = false
	cookie.Secure = strings.HasPrefix(c.CookieName, "__Secure-") || strings.HasPrefix(c.CookieName, "__Host-") ||
		strings.EqualFold(cookie.SameSite, "none")
	return cookie.Deleted().Header()
}

// sets reports whether a header sets the session cookie already, as that of a Handover does: it knows better.
func (c Config) sets(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Set-Cookie"), func(line string) bool { return strings.HasPrefix(line, c.CookieName+"=") })
}

// varyOnCookie tells caches that a response is for one visitor. Python: patch_vary_headers.
func varyOnCookie(h http.Header) {
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "cookie") {
				return
			}
		}
	}
	h.Add("Vary", "Cookie")
}

// keepPrivate tells caches not to hand a response that sets a cookie to anybody else, whatever was said before.
func keepPrivate(h http.Header) {
	if len(h.Values("Set-Cookie")) == 0 {
		return
	}
	directives := []string{"private"}
	for _, line := range h.Values("Cache-Control") {
		for d := range strings.SplitSeq(line, ",") {
			d = strings.TrimSpace(d)
			name, _, _ := strings.Cut(strings.ToLower(d), "=")
			if !slices.Contains([]string{"", "private", "public", "s-maxage"}, name) {
				directives = append(directives, d)
			}
		}
	}
	h.Set("Cache-Control", strings.Join(directives, ", "))
}
