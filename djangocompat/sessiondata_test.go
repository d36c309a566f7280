package djangocompat_test

import (
	"errors"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

func parse(tb testing.TB, text string) djangocompat.SessionData {
	tb.Helper()
	d, err := djangocompat.ParseSessionData([]byte(text))
	if err != nil {
		tb.Fatalf("ParseSessionData(%s): %v", text, err)
	}
	return d
}

func with(tb testing.TB, d djangocompat.SessionData, key string, v any) djangocompat.SessionData {
	tb.Helper()
	d, err := d.With(key, v)
	if err != nil {
		tb.Fatalf("With(%q): %v", key, err)
	}
	return d
}

func TestSessionDataKeepsWhatIsNotTouched(t *testing.T) {
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "") {
		d, err := decodeVector(t, v)
		if err != nil {
			continue
		}
		changed := with(t, d, "touched by Go", 1)
		for key := range d.Keys() {
			want, _ := d.RawJSON(key)
			if got, ok := changed.RawJSON(key); !ok || got != want {
				t.Errorf("%s: after another key was set, %q is %s, want %s", v.Name, key, got, want)
			}
		}
		if back := changed.Without("touched by Go"); !back.Equal(d) {
			t.Errorf("%s: after a key was set and deleted: %s, want %s", v.Name, back.JSON(), d.JSON())
		}
		codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), MaxSize: 4 << 20}
		text, err := codec.Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := codec.Decode(text); err != nil || !again.Equal(d) {
			t.Errorf("%s: written and read: %s, %v, want %s", v.Name, again.JSON(), err, d.JSON())
		}
	}
}

func TestSessionDataJSON(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
	}{
		{"spaces between keys go, those inside a value stay", " { \"a\" : [ 1 ] ,\n\"b\":2} ", `{"a":[ 1 ],"b":2}`},
		{"the last of equal keys wins, where the first stood", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"keys are equal whose escapes differ", `{"a":1,"\u0061":2}`, `{"a":2}`},
		{"a byte that is not ASCII is a Latin-1 character", "{\"\xe9\":\"\xc3\xa9\"}", `{"\u00e9":"\u00c3\u00a9"}`},
		{"numbers stay as they are written", `{"a":1E5,"b":-0,"c":1.0,"d":123456789012345678901234567890}`, `{"a":1E5,"b":-0,"c":1.0,"d":123456789012345678901234567890}`},
		{"an empty dict", " {\t} ", `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(parse(t, tt.text).JSON()); got != tt.want {
				t.Errorf("JSON = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSessionDataRefuses(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	tests := []struct {
		name string
		text string
	}{
		{"nothing", ""},
		{"what is no dict", `[1]`},
		{"a second value", `{}{}`},
		{"a comma before the end", `{"a":1,}`},
		{"a key that is no text", `{1:2}`},
		{"a missing value", `{"a":}`},
		{"an open dict", `{"a":1`},
		{"an open text", `{"a`},
		{"a backslash at the end", `{"a\`},
		{"a control character in a text", "{\"a\x01\":1}"},
		{"an escaped character that is not ASCII", "{\"\\\xe9\":1}"},
		{"a character that is not ASCII outside a text", "{\xa0}"},
		{"half an escape", `{"\u12":1}`},
		{"a number with a leading zero", `{"a":01}`},
		{"a minus alone", `{"a":-}`},
		{"an exponent without digits", `{"a":1e}`},
		{"an integer longer than Python reads", `{"a":` + strings.Repeat("9", 4301) + `}`},
		{"lists nested more deeply than the bound", deep(900)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d, err := djangocompat.ParseSessionData([]byte(tt.text)); !errors.Is(err, djangocompat.ErrMalformed) {
				t.Errorf("ParseSessionData = %s, %v, want ErrMalformed", d.JSON(), err)
			}
		})
	}
	parse(t, deep(899))
}

func TestSessionDataValues(t *testing.T) {
	big1, _ := new(big.Int).SetString("-9223372036854775809", 10)
	tests := []struct {
		name string
		text string
		want any
	}{
		{"None", `null`, nil},
		{"True", `true`, true},
		{"the largest int64", `9223372036854775807`, int64(math.MaxInt64)},
		{"an int beyond int64", `-9223372036854775809`, big1},
		{"a float that is whole", `1.0`, 1.0},
		{"a float with an exponent", `1e2`, 100.0},
		{"a float out of range is an infinity", `-1e999`, math.Inf(-1)},
		{"Infinity", `Infinity`, math.Inf(1)},
		{"escapes", `"\"\\\/\b\f\n\r\t\u00e9"`, "\"\\/\b\f\n\r\té"},
		{"a surrogate pair", `"\ud83d\ude00!"`, "😀!"},
		{"half a surrogate pair keeps its three bytes", `"\ud83d!\ude00"`, "\xed\xa0\xbd!\xed\xb8\x80"},
		{"two first halves", `"\ud83d\ud83d\ude00"`, "\xed\xa0\xbd😀"},
		{"an empty list", `[ ]`, []any{}},
		{"lists in a list", `[[1, "]"], {} ]`, []any{[]any{int64(1), "]"}, map[string]any{}}},
		{"a dict", `{"a" : {"b":[null]}, "c":false}`, map[string]any{"a": map[string]any{"b": []any{nil}}, "c": false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parse(t, `{"k":`+tt.text+`}`).Get("k")
			if !ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Get = %#v, %v, want %#v", got, ok, tt.want)
			}
		})
	}
}

func TestAppendJSON(t *testing.T) {
	type point struct{ X, Y float64 }
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"nil", nil, `null`},
		{"an int", 7, `7`},
		{"a uint64", uint64(math.MaxUint64), `18446744073709551615`},
		{"a big int", huge, `123456789012345678901234567890`},
		{"a nil big int", (*big.Int)(nil), `null`},
		{"a whole float has a point", 1.0, `1.0`},
		{"minus zero", math.Copysign(0, -1), `-0.0`},
		{"a float as Python's repr", 1e16, `1e+16`},
		{"a float just below", 9999999999999998.0, `9999999999999998.0`},
		{"a small float", 0.0001, `0.0001`},
		{"a smaller float", 0.00001, `1e-05`},
		{"NaN", math.NaN(), `NaN`},
		{"the infinities", []any{math.Inf(1), math.Inf(-1)}, `[Infinity,-Infinity]`},
		{"characters that are not ASCII", "é😀\u2028\x7f", `"\u00e9\ud83d\ude00\u2028\u007f"`},
		{"what HTML has", "<&>", `"<&>"`},
		{"control characters", "\x00\b\t\n\f\r\x1f\"\\", `"\u0000\b\t\n\f\r\u001f\"\\"`},
		{"half a surrogate pair", "\xed\xa0\xbd", `"\ud83d"`},
		{"a map in the order of its keys", map[string]any{"b": 1, "a": []any{}}, `{"a":[],"b":1}`},
		{"a struct as encoding/json writes it, in ASCII", struct{ Name string }{"<é>"}, `{"Name":"<\u00e9>"}`},
		{"a slice of structs", []point{{1, 2.5}}, `[{"X":1,"Y":2.5}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := djangocompat.AppendJSON(nil, tt.v); err != nil || string(got) != tt.want {
				t.Errorf("AppendJSON = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestAppendJSONRefuses(t *testing.T) {
	var cycle []any
	cycle = append(cycle, nil)
	cycle[0] = cycle
	tests := []struct {
		name string
		v    any
	}{
		{"a text that is not UTF-8", "a\xff"},
		{"a key that is not UTF-8", map[string]any{"\xc3": 1}},
		{"a function", map[string]any{"f": func() {}}},
		{"a list in itself", cycle},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := djangocompat.AppendJSON(nil, tt.v); err == nil {
				t.Errorf("AppendJSON = %s, want an error", got)
			}
		})
	}
}

func TestSessionDataOfManyKeys(t *testing.T) {
	var d djangocompat.SessionData
	want := make([]string, 0, 100)
	for i := range 100 {
		key := strings.Repeat("k", i+1)
		want = append(want, key)
		d = with(t, d, key, i)
	}
	if got := slices.Collect(d.Keys()); !slices.Equal(got, want) {
		t.Errorf("Keys = %q, want %q", got, want)
	}
	d = with(t, d.Without("kk"), "kkk", "new")
	if v, ok := d.Get("kkk"); v != "new" || !ok {
		t.Errorf("Get of a key that was set again = %v, %v", v, ok)
	}
	if d.Has("kk") || d.Len() != 99 {
		t.Errorf("after Without: Has = %v, Len = %d", d.Has("kk"), d.Len())
	}
	if again := parse(t, string(d.JSON())); !again.Equal(d) || !again.Has("k") || again.Has("x") {
		t.Errorf("read again: %s, want %s", again.JSON(), d.JSON())
	}
	twice := parse(t, strings.Replace(string(d.JSON()), `{"k":0,`, `{"k":0,"k":1,`, 1))
	if v, _ := twice.Get("k"); v != int64(1) || twice.Len() != 99 {
		t.Errorf("a key that is there twice among many = %v of %d, want 1 of 99", v, twice.Len())
	}
}

func TestZeroSessionData(t *testing.T) {
	var d djangocompat.SessionData
	if v, ok := d.Get("a"); v != nil || ok || d.Len() != 0 || string(d.JSON()) != "{}" {
		t.Errorf("the zero SessionData has %v, %v; %d; %s", v, ok, d.Len(), d.JSON())
	}
	if !d.Equal(parse(t, "{}")) || !d.Without("a").Equal(d) {
		t.Error("the zero SessionData is not the empty dict")
	}
}
