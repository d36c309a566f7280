package pickle

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxIntDigits is how many decimal digits Python 3.11 reads.
	maxIntDigits = 4300
	// maxIntBytes bounds ints in binary, which take time to be written in decimal.
	maxIntBytes = 64 << 10
)

var errBadNumber = malformed("a number in text is no number")

// textInt reads the argument of INT. Python reads it as C's strtol with base 0 does, where 01 and 00
// are bools and 017 is octal; what that does not take it reads as a literal.
func textInt(line []byte) (any, error) {
	if len(line) == 0 {
		return nil, errBadNumber
	}
	n, ok := cInt(string(bytes.TrimLeft(line, " \t\n\v\f\r")))
	if !ok {
		return literalInt(line)
	}
	if len(line) == 2 && (n == 0 || n == 1) {
		return n == 1, nil
	}
	return n, nil
}

// cInt reads all of s as strtol does with base 0.
func cInt(s string) (int64, bool) {
	if strings.ContainsAny(s, "_oObB") && !isHex(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 0, 64)
	return n, err == nil
}

func isHex(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && !strings.Contains(s, "_")
}

// textLong reads the argument of LONG: a literal with an L at its end, or without.
func textLong(line []byte) (any, error) {
	if len(line) == 0 {
		return nil, errBadNumber
	}
	return literalInt(bytes.TrimSuffix(line, []byte("L")))
}

// literalInt reads an int as Python's int(text, 0) does.
func literalInt(line []byte) (any, error) {
	text := strings.Trim(string(line), " \t\n\v\f\r")
	sign := ""
	if text != "" && (text[0] == '-' || text[0] == '+') {
		sign, text = text[:1], text[1:]
	}
	base := 10
	if len(text) > 2 && text[0] == '0' {
		switch text[1] | 0x20 {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
	}
	digits := text
	if base != 10 {
		digits = strings.TrimPrefix(text[2:], "_")
	}
	digits, ok := withoutUnderscores(digits)
	if !ok || base == 10 && len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0") != "" {
		return nil, errBadNumber
	}
	if base == 10 && len(digits) > maxIntDigits || len(digits) > 2*maxIntBytes {
		return nil, limited("digits of an int")
	}
	if digits[0] == '-' || digits[0] == '+' {
		return nil, errBadNumber
	}
	n, ok := new(big.Int).SetString(sign+digits, base)
	if !ok {
		return nil, errBadNumber
	}
	return normalInt(n), nil
}

// withoutUnderscores takes out single underscores between digits.
func withoutUnderscores(digits string) (string, bool) {
	if digits == "" || digits[0] == '_' || digits[len(digits)-1] == '_' || strings.Contains(digits, "__") {
		return "", false
	}
	return strings.ReplaceAll(digits, "_", ""), true
}

// textIndex reads the argument of PUT and GET.
func textIndex(line []byte) (uint64, error) {
	text := strings.TrimPrefix(strings.Trim(string(line), " \t\n\v\f\r"), "+")
	digits, ok := withoutUnderscores(text)
	if !ok {
		return 0, errBadNumber
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || !isDigits(digits) {
		return 0, errBadNumber
	}
	return n, nil
}

// textFloat reads the argument of FLOAT. Python: PyOS_string_to_double.
func textFloat(line []byte) (float64, error) {
	if !isDecimalFloat(line) {
		return 0, errBadNumber
	}
	f, err := strconv.ParseFloat(string(line), 64)
	if err != nil {
		return 0, errBadNumber // out of range
	}
	return f, nil
}

// isDecimalFloat keeps out what only Go reads: hexadecimal floats and underscores.
func isDecimalFloat(line []byte) bool {
	switch strings.ToLower(strings.TrimLeft(string(line[:min(len(line), 10)]), "+-")) {
	case "inf", "infinity", "nan":
		return true
	}
	for _, c := range line {
		if !strings.ContainsRune("0123456789+-.eE", rune(c)) {
			return false
		}
	}
	return true
}

// binaryInt reads the little-endian two's complement of LONG1 and LONG4.
func binaryInt(b []byte) (any, error) {
	if len(b) <= 8 {
		var word [8]byte
		copy(word[:], b)
		n := int64(binary.LittleEndian.Uint64(word[:]))
		unused := 64 - 8*len(b)
		return n << unused >> unused, nil
	}
	if len(b) > maxIntBytes {
		return nil, limited("bytes of an int")
	}
	bigEndian := slices.Clone(b)
	slices.Reverse(bigEndian)
	n := new(big.Int).SetBytes(bigEndian)
	if bigEndian[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return normalInt(n), nil
}

// appendBinaryInt is the reverse of binaryInt, as short as it can be.
func appendBinaryInt(dst []byte, n *big.Int) []byte {
	length := n.BitLen()/8 + 1
	if n.Sign() < 0 {
		// -2^(8k-1) takes k bytes, though its magnitude has 8k bits.
		length = new(big.Int).Not(n).BitLen()/8 + 1
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*length)))
	}
	start := len(dst)
	dst = append(dst, make([]byte, length)...)
	n.FillBytes(dst[start:])
	slices.Reverse(dst[start:])
	return dst
}

// binaryFloat reads the big-endian argument of BINFLOAT.
func binaryFloat(b []byte) float64 {
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}
