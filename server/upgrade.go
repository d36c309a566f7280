package server

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// wantsUpgrade reports whether a request is meant as a WebSocket's opening handshake, right or wrong;
// everything else is plain HTTP.
func (h *head) wantsUpgrade() bool {
	for v := range h.fields.Values("upgrade") {
		if hasToken(v, "websocket") {
			return true
		}
	}
	return false
}

// single returns the value of a field that must not be repeated.
func (h *head) single(name string) (value string, ok bool) {
	n := 0
	for v := range h.fields.Values(name) {
		value = v
		n++
	}
	return value, n == 1
}

// checkUpgrade says with which status an opening handshake is refused, 0 if it is right. RFC 6455 §4.2.1.
func (h *head) checkUpgrade() int {
	if h.method != http.MethodGet {
		return http.StatusMethodNotAllowed
	}
	if h.minor < 1 {
		return http.StatusHTTPVersionNotSupported
	}
	host, ok := h.single("host")
	if !ok || !isTarget(host) || strings.ContainsAny(host, "/\\?@") || !h.isFor(host) {
		return http.StatusBadRequest
	}
	if h.hasBody() {
		return http.StatusBadRequest // a body behind an upgrade is how smuggling begins
	}
	connection := false
	for v := range h.fields.Values("connection") {
		connection = connection || hasToken(v, "upgrade")
	}
	if !connection {
		return http.StatusBadRequest
	}
	if version, ok := h.single("sec-websocket-version"); !ok || version != "13" {
		return http.StatusUpgradeRequired
	}
	if key, ok := h.single("sec-websocket-key"); !ok || !isKey(key) {
		return http.StatusBadRequest
	}
	return 0
}

// refusal is the answer to an opening handshake that is refused with a status. RFC 9110 §9.3.2, §15.5.6.
func (h *head) refusal(status int) consumers.Response {
	r := consumers.Response{Status: status, Reason: consumers.ReasonMalformed}
	if status == http.StatusMethodNotAllowed {
		r.Header = http.Header{"Allow": {http.MethodGet}}
	}
	if h.method == http.MethodHead {
		r.Body = []byte{}
	}
	return r
}

// isFor reports whether a target in absolute form names the host that the Host field does: one program would
// believe the one, and one the other. RFC 9112 §3.2.2.
func (h *head) isFor(host string) bool {
	if strings.HasPrefix(h.target, "/") {
		return true
	}
	u, err := url.ParseRequestURI(h.target)
	return err == nil && u.User == nil && strings.EqualFold(u.Host, host)
}

// hasBody reports whether a request may have a body, or says what could be read as if it had.
func (h *head) hasBody() bool {
	for range h.fields.Values("transfer-encoding") {
		return true
	}
	for range h.fields.Values("content-length") {
		length, ok := h.single("content-length")
		return !ok || length != "0"
	}
	return false
}

// keySize is the length of a Sec-WebSocket-Key. RFC 6455 §4.1.
const keySize = 24

// isKey reports whether a Sec-WebSocket-Key is 16 bytes in base64.
func isKey(key string) bool {
	var b [18]byte
	if len(key) != keySize {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(b[:], []byte(key))
	return err == nil && n == 16
}

// hasToken reports whether a comma-separated list has a token, whatever its case. "websocket/13" counts as
// websocket. RFC 9110 §7.8.
func hasToken(list, token string) bool {
	for item := range strings.SplitSeq(list, ",") {
		name, _, _ := strings.Cut(strings.Trim(item, " \t"), "/")
		if equalToken(name, token) {
			return true
		}
	}
	return false
}

// equalToken compares tokens without regard to the case of ASCII letters. Other characters have no case here,
// although Unicode knows some that fold to an ASCII letter.
func equalToken(s, token string) bool { return isToken(s) && strings.EqualFold(s, token) }

// subprotocols returns what the client offers.
func (h *head) subprotocols() []string {
	var offers []string
	for v := range h.fields.Values("sec-websocket-protocol") {
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.Trim(item, " \t"); isToken(item) {
				offers = append(offers, strings.Clone(item))
			}
		}
	}
	return offers
}

// acceptGUID is the constant of RFC 6455 §1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// appendAccepted appends the answer that opens the WebSocket. RFC 6455 §4.2.2.
func appendAccepted(dst, key []byte, d deflation, r consumers.Response) []byte {
	var hashed [keySize + len(acceptGUID)]byte
	sum := sha1.Sum(append(append(hashed[:0], key...), acceptGUID...))
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	dst = append(dst, "\r\n"...)
	if isToken(r.Subprotocol) {
		dst = append(dst, "Sec-WebSocket-Protocol: "...)
		dst = append(dst, r.Subprotocol...)
		dst = append(dst, "\r\n"...)
	}
	dst = appendDeflation(dst, d)
	dst = appendFields(dst, r.Header)
	return append(dst, "\r\n"...)
}

// ownFields are the fields of an answer that are the server's to set.
var ownFields = map[string]bool{
	"Connection": true, "Upgrade": true, "Content-Length": true, "Transfer-Encoding": true,
	"Sec-Websocket-Accept": true, "Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
}

// appendFields appends a consumer's header fields. One that could break the head apart is left out.
func appendFields(dst []byte, header http.Header) []byte {
	for name, values := range header {
		name = http.CanonicalHeaderKey(name)
		if !isToken(name) || ownFields[name] {
			continue
		}
		for _, v := range values {
			if !isValue(v) {
				continue
			}
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, v...)
			dst = append(dst, "\r\n"...)
		}
	}
	return dst
}

// appendRefused appends an HTTP answer that ends the connection.
func appendRefused(dst []byte, r consumers.Response) []byte {
	body := r.Body
	contentType := r.Header.Get("Content-Type")
	if body == nil {
		body = []byte(http.StatusText(r.Status) + "\n")
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(r.Status)...)
	dst = append(dst, "\r\nConnection: close"...)
	if r.Status == http.StatusUpgradeRequired { // RFC 9110 §15.5.22, RFC 6455 §4.4
		dst = append(dst, ", Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"...)
	}
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n"...)
	if contentType == "" {
		dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"...)
	}
	dst = appendFields(dst, r.Header)
	dst = append(dst, "\r\n"...)
	return append(dst, body...)
}
