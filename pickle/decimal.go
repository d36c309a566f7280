package pickle

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// A Decimal is Python's decimal.Decimal, as str() writes it.
type Decimal string

// A decimalForm is a Decimal taken apart: digits × 10^exponent, or a special value.
type decimalForm struct {
	sign     string // "-" or ""
	digits   string // without leading zeros; "0" for zero; the payload of a NaN
	exponent int
	special  string // "Infinity", "NaN", "sNaN" or ""
}

// maxExponent is decimal.MAX_EMAX on a 64-bit machine.
const maxExponent = 999_999_999_999_999_999

// newDecimal reads what decimal.Decimal takes, without spaces, underscores and digits of other
// scripts, and reports whether it is that.
func newDecimal(text string) (Decimal, bool) {
	form, ok := parseDecimal(text)
	if !ok {
		return "", false
	}
	return form.text(), true
}

func parseDecimal(text string) (form decimalForm, ok bool) {
	if rest, found := strings.CutPrefix(text, "-"); found {
		form.sign, text = "-", rest
	} else {
		text = strings.TrimPrefix(text, "+")
	}
	switch lower := strings.ToLower(text[:min(len(text), 8)]); {
	case len(text) <= 8 && (lower == "inf" || lower == "infinity"):
		form.special = "Infinity"
		return form, true
	case strings.HasPrefix(lower, "nan"):
		form.special, form.digits = "NaN", strings.TrimLeft(text[3:], "0")
		return form, isDigits(form.digits)
	case strings.HasPrefix(lower, "snan"):
		form.special, form.digits = "sNaN", strings.TrimLeft(text[4:], "0")
		return form, isDigits(form.digits)
	}
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
		n, err := strconv.ParseInt(exponent, 10, 64)
		if err != nil || n > maxExponent || n < -maxExponent {
			return form, false
		}
		form.exponent = int(n)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	form.exponent -= len(fraction)
	form.digits = strings.TrimLeft(whole+fraction, "0")
	if form.digits == "" {
		form.digits = "0"
	}
	adjusted := form.exponent + len(form.digits) - 1
	return form, whole+fraction != "" && isDigits(whole) && isDigits(fraction) &&
		-maxExponent <= adjusted && adjusted <= maxExponent
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// text writes the number as Python does. Python: decimal.Decimal.__str__.
func (f decimalForm) text() Decimal {
	switch f.special {
	case "Infinity":
		return Decimal(f.sign + f.special)
	case "NaN", "sNaN":
		return Decimal(f.sign + f.special + f.digits)
	}
	left := f.exponent + len(f.digits) // digits before the point
	point := 1
	if f.exponent <= 0 && left > -6 {
		point = left
	}
	var number string
	switch {
	case point <= 0:
		number = "0." + strings.Repeat("0", -point) + f.digits
	case point >= len(f.digits):
		number = f.digits + strings.Repeat("0", point-len(f.digits))
	default:
		number = f.digits[:point] + "." + f.digits[point:]
	}
	if left != point {
		exponent := strconv.Itoa(left - point)
		if left > point {
			exponent = "+" + exponent
		}
		number += "E" + exponent
	}
	return Decimal(f.sign + number)
}

func (d Decimal) isNaN() bool {
	return strings.HasPrefix(strings.TrimPrefix(string(d), "-"), "NaN")
}

// maxExact is how many digits are looked at to find the int or float that a Decimal equals. No float
// has more, and an int of more digits is not worth the work.
const maxExact = 1100

// canonicalDecimal is the key of a decimal: the int or the float that it equals, where there is one.
func canonicalDecimal(d Decimal) (any, error) {
	form, ok := parseDecimal(string(d))
	switch {
	case !ok || form.special == "sNaN":
		return nil, errUnhashable
	case form.special == "NaN":
		return nanKey{}, nil
	case form.special == "Infinity" && form.sign == "":
		return math.Inf(1), nil
	case form.special == "Infinity":
		return math.Inf(-1), nil
	case form.digits == "0":
		return int64(0), nil
	}
	digits := strings.TrimRight(form.digits, "0")
	exponent := form.exponent + len(form.digits) - len(digits)
	if len(digits) < maxExact && -maxExact < exponent && exponent < maxExact {
		if exact := exactNumber(form.sign+digits, exponent); exact != nil {
			return exact, nil
		}
	}
	return aliasKey{"decimal", form.sign + digits + "E" + strconv.Itoa(exponent)}, nil
}

// exactNumber is digits × 10^exponent as an int, or as a float where it is one, or nil.
func exactNumber(digits string, exponent int) any {
	n, _ := new(big.Int).SetString(digits, 10)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent >= 0 {
		return canonicalInt(n.Mul(n, power))
	}
	if f, exact := new(big.Rat).SetFrac(n, power).Float64(); exact {
		return f
	}
	return nil
}
