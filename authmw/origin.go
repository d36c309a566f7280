package authmw

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// Origins wraps an Application: of WebSockets, only those come through that a page of one of the allowed
// origins opens; others are answered 403. A pattern is
//
//	example.com            that host, with any scheme and port
//	.example.com           it and its subdomains
//	https://example.com    that origin; the port is the scheme's own unless one is written
//	https://.example.com   its subdomains, too
//	*                      any origin, and none
//
// A WebSocket without an Origin header, or with more than one, is refused, and so is an origin that no
// browser makes: with a user's name in it, or with a bad port. What is no WebSocket comes through, since
// browsers keep other sites from reading it; Channels' validator raises ValueError for it.
//
// A pattern that no origin can match matches none, as in Channels; CheckOrigins finds it.
//
// Python: channels.security.websocket.OriginValidator.
func Origins(app consumers.Application, allowed []string) consumers.Application {
	list := parsePatterns(allowed)
	return guarded{app, func(s *consumers.Scope) bool {
		return s.Type != consumers.TypeWebSocket || list.allow(s.Header)
	}, func(*consumers.Scope) consumers.Reason { return consumers.ReasonOrigin }}
}

// AllowedHosts is Origins for ALLOWED_HOSTS.
// Python: channels.security.websocket.AllowedHostsOriginValidator.
func AllowedHosts(app consumers.Application, hosts []string) consumers.Application {
	return Origins(app, hosts)
}

// AllowedHostsDebug is AllowedHosts with DEBUG: if hosts is empty, this machine is allowed.
func AllowedHostsDebug(app consumers.Application, hosts []string) consumers.Application {
	if len(hosts) == 0 {
		hosts = []string{"localhost", "127.0.0.1", "[::1]"}
	}
	return Origins(app, hosts)
}

// CheckOrigins reports the patterns that match nothing, or something else than they seem to, as do
// "localhost:8000" and "*.example.com".
func CheckOrigins(allowed []string) error {
	var errs []error
	for _, pattern := range allowed {
		if remedy := betterPattern(pattern); remedy != "" {
			errs = append(errs, fmt.Errorf("authmw: allowed origin %q is not what it seems: %s", pattern, remedy))
		}
	}
	return errors.Join(errs...)
}

// betterPattern returns what to write instead of a pattern that is not what it seems, or "".
func betterPattern(pattern string) string {
	o, err := parseOrigin(strings.ToLower(pattern))
	switch {
	case pattern == "*":
		return ""
	case pattern == "" || strings.TrimSpace(pattern) != pattern:
		return "leave out empty ones and spaces"
	case err != nil || o.badPort:
		return "write the host and port as in a URL"
	case strings.Contains(pattern, "*"):
		return `write ".example.com" for a host and its subdomains`
	case o.scheme == "" && strings.ContainsAny(strings.TrimSuffix(strings.TrimPrefix(pattern, "["), "]"), "/@?#"),
		o.userinfo:
		return `write "https://example.com" or "example.com"`
	case o.scheme != "" && o.host == "", o.scheme == "" && hasPort(pattern):
		return `write "https://example.com:8443" or "example.com", which allows any port`
	}
	return ""
}

// hasPort reports whether a pattern without a scheme ends in a port.
func hasPort(pattern string) bool {
	if strings.Count(pattern, ":") > 1 && !strings.HasPrefix(pattern, "[") {
		return false // an IPv6 address
	}
	_, port, ok := strings.Cut(pattern[strings.LastIndexByte(pattern, ']')+1:], ":")
	return ok && strings.Trim(port, "0123456789") == ""
}

// origin is a URL without what follows its host.
type origin struct {
	scheme   string // in small letters
	host     string // in small letters; "" if there is none
	port     string // "" if none is written
	badPort  bool   // what is written is no port
	userinfo bool   // there is a user's name, or a password
}

var errBadOrigin = errors.New("authmw: not an origin")

// parseOrigin takes text apart as Python does.
// Python: urllib.parse.urlparse, with hostname and port.
func parseOrigin(text string) (origin, error) {
	text = strings.TrimLeftFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, text)
	var o origin
	if colon := strings.IndexByte(text, ':'); colon > 0 && isScheme(text[:colon]) {
		o.scheme, text = strings.ToLower(text[:colon]), text[colon+1:]
	}
	rest, ok := strings.CutPrefix(text, "//")
	if !ok {
		return o, nil
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if strings.Contains(rest, "[") != strings.Contains(rest, "]") {
		return origin{}, errBadOrigin
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		o.userinfo, rest = true, rest[at+1:]
	}
	host, port := splitPort(rest)
	o.host = strings.ToLower(host)
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		o.port, o.badPort = strconv.FormatUint(n, 10), err != nil
	}
	return o, nil
}

// isScheme reports whether text can stand before the first colon of a URL.
func isScheme(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return strings.IndexByte(letters, text[0]) >= 0 && strings.Trim(text, letters+"0123456789+-.") == ""
}

// splitPort splits "host:port" and "[host]:port".
func splitPort(text string) (host, port string) {
	if _, inner, ok := strings.Cut(text, "["); ok {
		host, port, _ = strings.Cut(inner, "]")
		_, port, _ = strings.Cut(port, ":")
		return host, port
	}
	host, port, _ = strings.Cut(text, ":")
	return host, port
}

// effectivePort returns the port that is written, or the scheme's own.
func (o origin) effectivePort() string {
	if o.port != "" {
		return o.port
	}
	switch o.scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	default:
		return ""
	}
}

// pattern is one of the allowed origins. Without a scheme only its host counts.
type pattern struct {
	origin
	any bool
}

// patterns are the allowed origins.
type patterns []pattern

func parsePatterns(allowed []string) patterns {
	list := make(patterns, 0, len(allowed))
	for _, text := range allowed {
		o, err := parseOrigin(strings.ToLower(text))
		if err == nil && o.scheme == "" {
			var bare origin
			if bare, err = parseOrigin("//" + text); err == nil {
				o.host = bare.host
			}
			if o.host == "" {
				o.host = text
			}
		}
		if err == nil || text == "*" {
			list = append(list, pattern{o, text == "*"})
		}
	}
	return list
}

// allow reports whether a request with these fields comes from an allowed page.
func (l patterns) allow(h consumers.Header) bool {
	var raw string
	count := 0
	for v := range h.Values("origin") {
		raw = v
		count++
	}
	o, err := parseOrigin(latin1(raw))
	if err != nil || count > 1 {
		return false
	}
	for _, p := range l {
		if p.any || p.matches(o) {
			return true
		}
	}
	return false
}

func (p pattern) matches(o origin) bool {
	if o.host == "" || p.host == "" || o.userinfo || o.badPort || p.badPort {
		return false
	}
	if p.scheme != "" && (p.scheme != o.scheme || p.effectivePort() != o.effectivePort()) {
		return false
	}
	return djangocompat.IsSameDomain(o.host, p.host)
}

// latin1 returns the text whose characters are the bytes of raw.
func latin1(raw string) string {
	for i := range len(raw) {
		if raw[i] >= 0x80 {
			runes := make([]rune, len(raw))
			for j := range len(raw) {
				runes[j] = rune(raw[j])
			}
			return string(runes)
		}
	}
	return raw
}
