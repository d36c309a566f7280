package server_test

import "strings"

import "fmt"

// validTextCases are of texts that are UTF-8, whole and split everywhere. RFC 3629.
func validTextCases() []exchange {
	texts := []struct{ name, text string }{
		{"Greek", "κόσμε"},
		{"the first character of two bytes", "\u0080"},
		{"the last character of two bytes", "\u07ff"},
		{"the first character of three bytes", "\u0800"},
		{"the last before the surrogates", "\ud7ff"},
		{"the first behind the surrogates", "\ue000"},
		{"the replacement character", "\ufffd"},
		{"a noncharacter", "\ufffe\uffff\ufdd0"},
		{"the first character of four bytes", "\U00010000"},
		{"the last character of all", "\U0010ffff"},
		{"NUL and DEL", "\x00\x7f"},
		{"a byte order mark", "\ufeffa"},
		{"all lengths", "aä€\U0001F30D€äa"},
	}
	var all []exchange
	for _, tt := range texts {
		all = append(all,
			exchange{tt.name, frame(fText, tt.text), []answer{text(tt.text)}, 0},
			exchange{tt.name + ", a fragment for each byte", pieces(fText, sliced(tt.text, 1)...), []answer{text(tt.text)}, 0},
			exchange{tt.name + ", a ping between all bytes", pinged(tt.text), pongs(tt.text), 0})
	}
	long := repeat("aä€\U0001F30D", 1000)
	return append(all,
		exchange{"a long text", frame(fText, long), []answer{text(long)}, 0},
		exchange{"a long text in fragments of 333 bytes", pieces(fText, sliced(long, 333)...), []answer{text(long)}, 0})
}

// pinged makes a text of fragments of one byte each, with pings between them.
func pinged(s string) string {
	var said strings.Builder
	for i := range len(s) {
		op := byte(fMore)
		if i == 0 {
			op = fBegin
		}
		said.WriteString(frame(op, s[i:i+1]) + frame(fPing, "p"))
	}
	return said.String() + frame(fEnd, "")
}

// pongs is the answer to pinged.
func pongs(s string) []answer {
	var all []answer
	for range len(s) {
		all = append(all, answer{fPong, "p"})
	}
	return append(all, text(s))
}

// invalidTextCases are of texts that are not UTF-8. The connection fails at the first byte that shows it, whatever
// the frame has still to say. RFC 6455 §8.1.
func invalidTextCases() []exchange {
	texts := []struct{ name, text string }{
		{"a continuation alone", "\x80"},
		{"the last continuation alone", "\xbf"},
		{"a continuation too many", "ä\x80"},
		{"a first byte of two without the second", "\xc3 "},
		{"a first byte of three without the second", "\xe2 "},
		{"two bytes of three", "\xe2\x82 "},
		{"a first byte of four without the second", "\xf0 "},
		{"three bytes of four", "\xf0\x9f\x8c "},
		{"0xfe", "\xfe"},
		{"0xff", "\xff"},
		{"a slash in two bytes", "\xc0\xaf"},
		{"a slash in three bytes", "\xe0\x80"},
		{"a slash in four bytes", "\xf0\x80"},
		{"NUL in two bytes", "\xc0\x80"},
		{"U+007F in two bytes", "\xc1\xbf"},
		{"U+07FF in three bytes", "\xe0\x9f"},
		{"U+FFFF in four bytes", "\xf0\x8f"},
		{"the first surrogate", "\xed\xa0"},
		{"the last surrogate", "\xed\xbf"},
		{"a pair of surrogates", "\xed\xa0\x80\xed\xb0\x80"},
		{"the first beyond U+10FFFF", "\xf4\x90"},
		{"a first byte beyond all", "\xf5"},
		{"a form of five bytes", "\xf8\x88\x80\x80\x80"},
		{"a form of six bytes", "\xfc\x84\x80\x80\x80\x80"},
		{"Latin-1", "caf\xe9 "},
	}
	var all []exchange
	for _, tt := range texts {
		whole := frame(fText, "κόσμε"+tt.text+"edited")
		cut := len(whole) - len("edited")
		all = append(all,
			exchange{tt.name, whole, nil, 1007},
			exchange{tt.name + " fails before the frame is whole", whole[:cut], nil, 1007},
			exchange{tt.name + " in a fragment of its own", frame(fBegin, "κόσμε") + frame(fMore, tt.text), nil, 1007},
			exchange{tt.name + ", a fragment for each byte", pieces(fText, sliced("a"+tt.text+"b", 1)...), nil, 1007},
			exchange{tt.name + " in binary is nobody's business", frame(fBinary, tt.text), []answer{blob(tt.text)}, 0})
	}
	for _, end := range []string{"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x8c", "\xed\x9f"} {
		all = append(all,
			exchange{fmt.Sprintf("a text that ends in %q", end), frame(fText, "a"+end), nil, 1007},
			exchange{fmt.Sprintf("a text whose last fragment ends in %q", end), pieces(fText, "a", end, ""), nil, 1007})
	}
	return all
}
