package server

import (
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// deflation is what was agreed on about compression, in one word: the sizes of messages that are compressed. The
// zero deflation is none. RFC 7692.
type deflation uint32

const (
	deflationBits  = 4 // hold the size of the window
	deflationNamed = 1 << deflationBits
	smallestAt     = deflationBits + 1 // where the size of the smallest message stands
	largestMinimum = 1<<(32-smallestAt) - 1
	fullWindow     = 15 // the largest window, 32 KiB, in bits
)

// window returns the size of the window that the peer can decompress with, in bits.
func (d deflation) window() int { return int(d % deflationNamed) }

// compresses reports whether a message of so many bytes is compressed. The compressor knows one size of window
// alone; but no message can refer to what is further back than it is long, so the peer's window is large enough
// for those that fit into it.
func (d deflation) compresses(size int) bool {
	return d != 0 && size >= int(d>>smallestAt) && (d.window() == fullWindow || size <= 1<<d.window())
}

// defaultMinimum is the size of the smallest message that is compressed, unless a route says otherwise.
const defaultMinimum = 256

// agreed returns what becomes of an offer on a route.
func (d deflation) agreed(w *consumers.Wire) deflation {
	if d == 0 || !w.Compression {
		return 0
	}
	least := w.CompressionMinimum
	if least <= 0 {
		least = defaultMinimum
	}
	return d | deflation(min(least, largestMinimum))<<smallestAt
}

// appendDeflation appends the field that accepts an offer. The server keeps nothing from message to message, and asks
// the client to do the same. RFC 7692 §7.1.
func appendDeflation(dst []byte, d deflation) []byte {
	if d == 0 {
		return dst
	}
	dst = append(dst, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"...)
	if d&deflationNamed != 0 {
		dst = append(dst, "; server_max_window_bits="...)
		dst = strconv.AppendInt(dst, int64(d.window()), 10)
	}
	return append(dst, "\r\n"...)
}

// deflation returns the first of the client's offers that can be accepted. One that is malformed or has a parameter
// that is unknown, repeated or out of range is declined, as if it were not there. RFC 7692 §7.1, §5.1.
func (h *head) deflation() deflation {
	for list := range h.fields.Values("sec-websocket-extensions") {
		for list != "" {
			var offer string
			offer, list = cutUnquoted(list, ',')
			if d := parseOffer(offer); d != 0 {
				return d
			}
		}
	}
	return 0
}

// parseOffer returns what an offer asks for, 0 where it cannot be accepted.
func parseOffer(offer string) deflation {
	name, params := cutUnquoted(offer, ';')
	if !equalToken(strings.Trim(name, " \t"), "permessage-deflate") || strings.HasSuffix(strings.Trim(offer, " \t"), ";") {
		return 0
	}
	d := deflation(fullWindow)
	seen := make(map[string]bool, 4)
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		name, value, valued := strings.Cut(strings.Trim(param, " \t"), "=")
		name = strings.ToLower(strings.TrimRight(name, " \t"))
		if seen[name] || !isToken(name) {
			return 0
		}
		seen[name] = true
		bits := 0
		if valued {
			if bits = windowBits(strings.TrimLeft(value, " \t")); bits == 0 {
				return 0
			}
		}
		switch {
		case !valued && (name == "server_no_context_takeover" || name == "client_no_context_takeover"):
		case name == "client_max_window_bits": // a hint: any window of a client can be decompressed
		case valued && name == "server_max_window_bits":
			d = deflation(bits) | deflationNamed
		default:
			return 0
		}
	}
	return d
}

// windowBits reads the size of a window: 8 to 15, in quotes or not, without a zero in front. It returns 0 for
// anything else. RFC 7692 §7.1.2.
func windowBits(value string) int {
	if inner, ok := strings.CutPrefix(value, `"`); ok {
		if value, ok = strings.CutSuffix(inner, `"`); !ok {
			return 0
		}
	}
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		bits, _ := strconv.Atoi(value) // it is a number
		return bits
	}
	return 0
}

// cutUnquoted cuts a list around the first sep that stands in no quoted string. RFC 9110 §5.6.4.
func cutUnquoted(list string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == sep:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}
