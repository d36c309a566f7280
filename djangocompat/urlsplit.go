package djangocompat

import (
	"strings"
)

// splitURL is a URL taken apart.
type splitURL struct {
	scheme string // in small letters
	netloc string
	rest   string // the path and what follows it
}

// parseURL takes a URL apart; ok is false for a netloc with half an IPv6 address.
// Python: urllib.parse.urlsplit.
func parseURL(text string) (u splitURL, ok bool) {
	u.rest = text
	if i := strings.IndexByte(text, ':'); i > 0 && isURLScheme(text[:i]) {
		u.scheme, u.rest = strings.ToLower(text[:i]), text[i+1:]
	}
	after, ok := strings.CutPrefix(u.rest, "//")
	if !ok {
		return u, true
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	u.netloc, u.rest = after[:end], after[end:]
	return u, strings.Contains(u.netloc, "[") == strings.Contains(u.netloc, "]")
}

func isURLScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// text returns the URL put together again. Python: SplitResult.geturl.
func (u splitURL) text() string {
	rest := u.rest
	path, fragment, _ := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		path += "?" + query
	}
	if fragment != "" {
		path += "#" + fragment
	}
	return u.scheme + "://" + u.netloc + path
}
