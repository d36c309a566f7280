package djangocompat_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// The expected values are those of auth_hash.json's get_user/id_… cases, and of Python's int and UUID.
func TestPKFrom(t *testing.T) {
	const uuid = "f8518609-1f2e-4d3c-8b5a-502601e36525"
	beyond, _ := new(big.Int).SetString("1180591620717411303424", 10)
	tests := []struct {
		name string
		kind djangocompat.PKKind
		v    any
		want string // "" if it is none
	}{
		{"text", djangocompat.PKInt, "659", "659"},
		{"space around", djangocompat.PKInt, " 659 ", "659"},
		{"a line feed", djangocompat.PKInt, "659\n", "659"},
		{"space of other kinds", djangocompat.PKInt, "\u2003\v659\u00a0", "659"},
		{"a plus", djangocompat.PKInt, "+659", "659"},
		{"a minus", djangocompat.PKInt, "-1", "-1"},
		{"an underscore between digits", djangocompat.PKInt, "6_59", "659"},
		{"leading zeros", djangocompat.PKInt, "000659", "659"},
		{"full-width digits", djangocompat.PKInt, "６５９", "659"},
		{"Arabic digits", djangocompat.PKInt, "٦٥٩", "659"},
		{"mathematical digits", djangocompat.PKInt, "𝟔𝟝𝟿", "659"},
		{"the largest", djangocompat.PKInt, "9223372036854775807", "9223372036854775807"},
		{"one more is no column's", djangocompat.PKInt, "9223372036854775808", ""},
		{"a separator character is no space", djangocompat.PKInt, "659\x1f", ""},
		{"two underscores", djangocompat.PKInt, "6__59", ""},
		{"an underscore at the front", djangocompat.PKInt, "_659", ""},
		{"an underscore at the end", djangocompat.PKInt, "659_", ""},
		{"space behind the sign", djangocompat.PKInt, "+ 659", ""},
		{"nothing", djangocompat.PKInt, "", ""},
		{"a sign alone", djangocompat.PKInt, "-", ""},
		{"a word", djangocompat.PKInt, "ann", ""},
		{"a float's text", djangocompat.PKInt, "659.0", ""},
		{"hexadecimal", djangocompat.PKInt, "0x293", ""},
		{"a NUL", djangocompat.PKInt, "659\x00", ""},
		{"a superscript is no decimal digit", djangocompat.PKInt, "²", ""},
		{"an int", djangocompat.PKInt, int64(659), "659"},
		{"a float is cut", djangocompat.PKInt, 659.9, "659"},
		{"True", djangocompat.PKInt, true, "1"},
		{"False", djangocompat.PKInt, false, "0"},
		{"None", djangocompat.PKInt, nil, ""},
		{"an int beyond the column", djangocompat.PKInt, beyond, ""},
		{"infinity", djangocompat.PKInt, math.Inf(1), ""},
		{"NaN", djangocompat.PKInt, math.NaN(), ""},
		{"a list", djangocompat.PKInt, []any{int64(659)}, ""},
		{"text is text", djangocompat.PKText, " ann ", " ann "},
		{"an int as text", djangocompat.PKText, int64(5), "5"},
		{"a large int as text", djangocompat.PKText, beyond, beyond.String()},
		{"True as text", djangocompat.PKText, true, "True"},
		{"None as text", djangocompat.PKText, nil, ""},
		{"a UUID", djangocompat.PKUUID, uuid, uuid},
		{"without dashes, as in SQLite", djangocompat.PKUUID, strings.ReplaceAll(uuid, "-", ""), uuid},
		{"in capitals and braces", djangocompat.PKUUID, "{" + strings.ToUpper(uuid) + "}", uuid},
		{"a URN", djangocompat.PKUUID, "urn:uuid:" + uuid, uuid},
		{"dashes anywhere", djangocompat.PKUUID, "f-8518609-1f2e4d3c-8b5a-502601e36525-", uuid},
		{"an int as a UUID", djangocompat.PKUUID, int64(255), "00000000-0000-0000-0000-0000000000ff"},
		{"a large int as a UUID", djangocompat.PKUUID, beyond, "00000000-0000-0040-0000-000000000000"},
		{"31 digits", djangocompat.PKUUID, uuid[1:], ""},
		{"33 digits", djangocompat.PKUUID, uuid + "0", ""},
		{"a letter beyond f", djangocompat.PKUUID, "g" + uuid[1:], ""},
		{"a negative int as a UUID", djangocompat.PKUUID, int64(-1), ""},
		{"a long text", djangocompat.PKUUID, strings.Repeat("-", 1<<20) + uuid, ""},
		{"no kind", djangocompat.PKNone, "1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := djangocompat.PKFrom(tt.kind, tt.v)
			if tt.want == "" {
				if !errors.Is(err, djangocompat.ErrBadPK) || !got.IsZero() {
					t.Errorf("PKFrom = %q, %v, want ErrBadPK", got, err)
				}
				return
			}
			if err != nil || got.String() != tt.want || got.Kind() != tt.kind {
				t.Errorf("PKFrom = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestPK(t *testing.T) {
	u := [16]byte{0: 1, 15: 2}
	tests := []struct {
		name string
		pk   djangocompat.PK
		text string
		json string
	}{
		{"none", djangocompat.PK{}, "", "null"},
		{"an integer", djangocompat.IntPK(-7), "-7", "-7"},
		{"zero is a key", djangocompat.IntPK(0), "0", "0"},
		{"a text", djangocompat.TextPK("é"), "é", `"\u00e9"`},
		{"a UUID", djangocompat.UUIDPK(u), "01000000-0000-0000-0000-000000000002", `"01000000-0000-0000-0000-000000000002"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.pk)
			if err != nil || tt.pk.String() != tt.text || string(text) != tt.json {
				t.Errorf("%q, %s, %v, want %q, %s", tt.pk, text, err, tt.text, tt.json)
			}
			if tt.pk.IsZero() != (tt.text == "") {
				t.Errorf("IsZero = %v", tt.pk.IsZero())
			}
		})
	}
	if got, ok := djangocompat.UUIDPK(u).UUID(); got != u || !ok {
		t.Errorf("UUID = %v, %v, want %v", got, ok, u)
	}
	if n, ok := djangocompat.IntPK(-7).Int64(); n != -7 || !ok {
		t.Errorf("Int64 = %d, %v, want -7", n, ok)
	}
	if _, ok := djangocompat.TextPK("7").Int64(); ok {
		t.Error("the text 7 is an integer")
	}
	if djangocompat.TextPK("7") == djangocompat.IntPK(7) {
		t.Error("the text 7 equals the integer 7")
	}
}

func TestUser(t *testing.T) {
	tests := []struct {
		name string
		user *djangocompat.User
		want bool
	}{
		{"nil is anonymous", nil, false},
		{"the zero User is anonymous", &djangocompat.User{}, false},
		{"a row is somebody, even an inactive one", &djangocompat.User{PK: djangocompat.IntPK(0)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.user.IsAuthenticated(); got != tt.want || tt.user.IsAnonymous() == tt.want {
				t.Errorf("IsAuthenticated = %v, IsAnonymous = %v, want %v, %v", got, tt.user.IsAnonymous(), tt.want, !tt.want)
			}
		})
	}
}
