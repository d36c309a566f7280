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

type pkCase struct {
	name string
	v    any
	want string // "" if it is none
}

func checkPKFrom(t *testing.T, kind djangocompat.PKKind, tests []pkCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := djangocompat.PKFrom(kind, tt.v)
			if tt.want == "" {
				if !errors.Is(err, djangocompat.ErrBadPK) || !got.IsZero() {
					t.Errorf("PKFrom = %q, %v, want ErrBadPK", got, err)
				}
				return
			}
			if err != nil || got.String() != tt.want || got.Kind() != kind {
				t.Errorf("PKFrom = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// beyond is 2 to the power of 70.
func beyond() *big.Int { return new(big.Int).Lsh(big.NewInt(1), 70) }

// The expected values are those of auth_hash.json's get_user/id_… cases, and of Python's int.
func TestPKFromInt(t *testing.T) {
	checkPKFrom(t, djangocompat.PKInt, []pkCase{
		{"text", "659", "659"},
		{"space around", " 659 ", "659"},
		{"a line feed", "659\n", "659"},
		{"space of other kinds", "\u2003\v659\u00a0", "659"},
		{"a plus", "+659", "659"},
		{"a minus", "-1", "-1"},
		{"an underscore between digits", "6_59", "659"},
		{"leading zeros", "000659", "659"},
		{"full-width digits", "６５９", "659"},
		{"Arabic digits", "٦٥٩", "659"},
		{"mathematical digits", "𝟔𝟝𝟿", "659"},
		{"the largest", "9223372036854775807", "9223372036854775807"},
		{"one more is no column's", "9223372036854775808", ""},
		{"a separator character is no space", "659\x1f", ""},
		{"two underscores", "6__59", ""},
		{"an underscore at the front", "_659", ""},
		{"an underscore at the end", "659_", ""},
		{"space behind the sign", "+ 659", ""},
		{"nothing", "", ""},
		{"a sign alone", "-", ""},
		{"a word", "ann", ""},
		{"a float's text", "659.0", ""},
		{"hexadecimal", "0x293", ""},
		{"a NUL", "659\x00", ""},
		{"a superscript is no decimal digit", "²", ""},
		{"an int", int64(659), "659"},
		{"a float is cut", 659.9, "659"},
		{"True", true, "1"},
		{"False", false, "0"},
		{"None", nil, ""},
		{"an int beyond the column", beyond(), ""},
		{"infinity", math.Inf(1), ""},
		{"NaN", math.NaN(), ""},
		{"a list", []any{int64(659)}, ""},
	})
}

func TestPKFromText(t *testing.T) {
	checkPKFrom(t, djangocompat.PKText, []pkCase{
		{"text is text", " ann ", " ann "},
		{"an int as text", int64(5), "5"},
		{"a large int as text", beyond(), beyond().String()},
		{"True as text", true, "True"},
		{"None as text", nil, ""},
	})
}

// The expected values are those of Python's UUID.
func TestPKFromUUID(t *testing.T) {
	const uuid = "f8518609-1f2e-4d3c-8b5a-502601e36525"
	checkPKFrom(t, djangocompat.PKUUID, []pkCase{
		{"a UUID", uuid, uuid},
		{"without dashes, as in SQLite", strings.ReplaceAll(uuid, "-", ""), uuid},
		{"in capitals and braces", "{" + strings.ToUpper(uuid) + "}", uuid},
		{"a URN", "urn:uuid:" + uuid, uuid},
		{"dashes anywhere", "f-8518609-1f2e4d3c-8b5a-502601e36525-", uuid},
		{"an int as a UUID", int64(255), "00000000-0000-0000-0000-0000000000ff"},
		{"a large int as a UUID", beyond(), "00000000-0000-0040-0000-000000000000"},
		{"31 digits", uuid[1:], ""},
		{"33 digits", uuid + "0", ""},
		{"a letter beyond f", "g" + uuid[1:], ""},
		{"a negative int as a UUID", int64(-1), ""},
		{"a long text", strings.Repeat("-", 1<<20) + uuid, ""},
	})
}

func TestPKFromNoKind(t *testing.T) {
	checkPKFrom(t, djangocompat.PKNone, []pkCase{{"a text", "1", ""}, {"an int", int64(1), ""}})
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
