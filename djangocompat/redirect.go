package djangocompat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRedirect is the length, in characters, beyond which no URL is safe. Django has it since 5.0.
const maxRedirect = 2048

// RedirectConfig says where SafeRedirect lets a visitor be sent. The zero RedirectConfig lets him be sent
// within the host that he is on.
type RedirectConfig struct {
	// Hosts are other hosts that are safe, each as it stands in a URL, with its port if that is written.
	Hosts []string
	// RequireHTTPS says that the request came over TLS, so that no URL may lead away from it.
	RequireHTTPS bool
}

// SafeRedirect reports whether a visitor may be sent to target, as from "next" in a login's query: to the
// same host, or one of Hosts, by http or https, as a browser reads it. Unlike Django before 4 it refuses what
// has a tab or a line end in it, which browsers leave out.
// Python: django.utils.http.url_has_allowed_host_and_scheme, which was is_safe_url.
func SafeRedirect(target string, cfg RedirectConfig) bool {
	target = strings.TrimFunc(target, isPythonSpace)
	if target == "" || !utf8.ValidString(target) || strings.ContainsAny(target, "\t\r\n") ||
		utf8.RuneCountInString(target) > maxRedirect {
		return false
	}
	// Browsers take a backslash for a slash in a path, and not in a user's name.
	return cfg.safe(target) && cfg.safe(strings.ReplaceAll(target, `\`, "/"))
}

func (c RedirectConfig) safe(target string) bool {
	first, _ := utf8.DecodeRuneInString(target)
	u, ok := parseURL(target)
	switch {
	case !ok, strings.HasPrefix(target, "///"), isOther(first):
		return false // browsers take any number of slashes, after any control characters, for two
	case u.netloc == "":
		return u.scheme == ""
	case u.scheme != "https" && (c.RequireHTTPS || u.scheme != "http" && u.scheme != ""):
		return false
	}
	return slices.Contains(c.Hosts, u.netloc)
}

// isPythonSpace reports whether Python's str.strip takes r off.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }

// isOther reports whether r is in Unicode's category C: a control character, one that formats, or none at all.
func isOther(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z)
}
