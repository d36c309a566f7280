package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// A head is the head of a request, read more strictly than RFC 9112 asks for: whatever two programs could
// read in two ways is refused.
type head struct {
	method string
	target string
	minor  int // of HTTP/1.x
	fields consumers.Header
}

// ownMethod returns the method as a string of its own, which does not keep the whole head in memory.
func (h *head) ownMethod() string {
	if h.method == http.MethodGet {
		return http.MethodGet
	}
	return strings.Clone(h.method)
}

// A headError refuses a request head with a status. Its text never leaves the process.
type headError struct {
	status int
	why    string
}

// Error implements error.
func (e *headError) Error() string { return "server: request head: " + e.why }

var (
	errBadHead   = &headError{http.StatusBadRequest, "malformed"}
	errHeadLarge = &headError{http.StatusRequestHeaderFieldsTooLarge, "too large"}
	errVersion   = &headError{http.StatusHTTPVersionNotSupported, "version"}
)

// headEnd ends a head.
var headEnd = []byte("\r\n\r\n")

// headLen returns how many bytes of data are a head with its empty line, 0 while that has not come.
func headLen(data []byte, limit int) (int, error) {
	window := data[:min(len(data), limit)]
	if i := bytes.Index(window, headEnd); i >= 0 {
		return i + len(headEnd), nil
	}
	if len(data) >= limit {
		return 0, errHeadLarge
	}
	return 0, nil
}

// parseHead reads a head, which ends with an empty line. What it returns shares no memory with data.
func parseHead(data []byte, maxFields int) (*head, error) {
	block := string(data[:len(data)-2]) // each line with its CRLF
	line, rest, _ := strings.Cut(block, "\r\n")
	h, err := parseRequestLine(line)
	if err != nil {
		return nil, err
	}
	h.fields = make(consumers.Header, 0, min(strings.Count(rest, "\n"), maxFields))
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		if len(h.fields) >= maxFields {
			return nil, errHeadLarge
		}
		f, err := parseField(line)
		if err != nil {
			return nil, err
		}
		if f.Name != "" {
			h.fields = append(h.fields, f)
		}
	}
	return h, nil
}

// parseRequestLine reads "GET /path HTTP/1.1". RFC 9112 §3.
func parseRequestLine(line string) (*head, error) {
	method, rest, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || !isToken(method) || !isTarget(target) {
		return nil, errBadHead
	}
	switch version {
	case "HTTP/1.1":
		return &head{method: method, target: target, minor: 1}, nil
	case "HTTP/1.0":
		return &head{method: method, target: target}, nil
	}
	if strings.HasPrefix(version, "HTTP/") && len(version) == len("HTTP/1.1") && !strings.ContainsAny(version, " \t;") {
		return nil, errVersion
	}
	return nil, errBadHead
}

// parseField reads one field line. RFC 9110 §5.1, §5.5. A name with an underscore is dropped, as Django's
// servers do: behind a proxy it could stand for another. The field then has no name.
func parseField(line string) (consumers.HeaderField, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) || !isValue(value) {
		return consumers.HeaderField{}, errBadHead
	}
	if strings.Contains(name, "_") {
		return consumers.HeaderField{}, nil
	}
	return consumers.HeaderField{Name: lowerName(name), Value: strings.Trim(value, " \t")}, nil
}

// lowerName returns a field's name in lower case. Those that browsers and proxies send cost no allocation.
func lowerName(name string) string {
	if lower, ok := usualNames[name]; ok {
		return lower
	}
	return strings.ToLower(name)
}

// usualNames are fields of opening handshakes, as they are written, in lower case.
var usualNames = func() map[string]string {
	names := make(map[string]string)
	for _, name := range []string{
		"Host", "Connection", "Upgrade", "Origin", "Cookie", "User-Agent", "Pragma", "Cache-Control", "Accept",
		"Accept-Encoding", "Accept-Language", "Authorization", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
		"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
		"X-Real-IP", "Forwarded",
	} {
		names[name] = strings.ToLower(name)
	}
	return names
}()

// isToken reports whether s is a token. RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// tokenBytes are the bytes of a token.
var tokenBytes = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// isValue reports whether s may be a field's value: no control bytes but the tab.
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isTarget reports whether s is a request target in visible ASCII, without a fragment. RFC 9112 §3.2.
func isTarget(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return s != ""
}

// errTarget refuses a target that is no path.
var errTarget = errors.New("server: request target is no path")

// splitTarget returns a target's path, raw and decoded, and its query.
func splitTarget(target string) (raw, path, query string, err error) {
	if !strings.HasPrefix(target, "/") {
		u, err := url.ParseRequestURI(target) // absolute form, RFC 9112 §3.2.2
		if err != nil || u.Host == "" || u.Opaque != "" {
			return "", "", "", errTarget
		}
		target = u.RequestURI()
	}
	raw, query, _ = strings.Cut(target, "?")
	raw, _, _ = strings.Cut(raw, "#")
	path, err = url.PathUnescape(raw)
	if err != nil {
		return "", "", "", errTarget
	}
	return raw, path, query, nil
}
