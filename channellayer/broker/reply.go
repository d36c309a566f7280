package broker

import (
	"math"
	"strconv"
)

// These append an answer, or a part of one, in RESP, version 2.

func appendOK(out []byte) []byte { return append(out, "+OK\r\n"...) }

func appendStatus(out []byte, s string) []byte {
	out = append(out, '+')
	out = append(out, s...)
	return append(out, '\r', '\n')
}

// appendError appends an error, which begins with a word in capitals that clients know.
func appendError(out []byte, text string) []byte {
	out = append(out, '-')
	for i := range len(text) {
		if c := text[i]; c >= ' ' && c != 0x7F { // no line may end in it
			out = append(out, c)
		}
	}
	return append(out, '\r', '\n')
}

func appendInt(out []byte, n int) []byte {
	out = append(out, ':')
	out = strconv.AppendInt(out, int64(n), 10)
	return append(out, '\r', '\n')
}

func appendBulk(out []byte, s string) []byte {
	out = append(out, '$')
	out = strconv.AppendInt(out, int64(len(s)), 10)
	out = append(out, '\r', '\n')
	out = append(out, s...)
	return append(out, '\r', '\n')
}

func appendArray(out []byte, n int) []byte {
	out = append(out, '*')
	out = strconv.AppendInt(out, int64(n), 10)
	return append(out, '\r', '\n')
}

func appendBulks(out []byte, list []string) []byte {
	out = appendArray(out, len(list))
	for _, s := range list {
		out = appendBulk(out, s)
	}
	return out
}

func appendNil(out []byte) []byte { return append(out, "$-1\r\n"...) }

func appendNilArray(out []byte) []byte { return append(out, "*-1\r\n"...) }

func appendScore(out []byte, score float64) []byte { return appendBulk(out, formatScore(score)) }

// formatScore writes a score as C's "%.17g" does, which Redis uses.
func formatScore(score float64) string {
	switch {
	case math.IsInf(score, 1):
		return "inf"
	case math.IsInf(score, -1):
		return "-inf"
	}
	return strconv.FormatFloat(score, 'g', 17, 64)
}
