package channellayer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belleville/belleville/channellayer"
)

func TestAppendJSON(t *testing.T) {
	loop := map[string]any{}
	loop["loop"] = loop
	tests := []struct {
		name   string
		v      any
		want   string
		python string
	}{
		{"bytes are base64", []byte{0xFF, 0}, `"/wA="`, `"/wA="`},
		{"NaN is null, as no browser parses it", []any{math.NaN(), math.Inf(1), math.Inf(-1)}, `[null,null,null]`, `[NaN, Infinity, -Infinity]`},
		{"what is not UTF-8 is replaced", "a\xffb\xed\xa0\x80", `"a` + "\uFFFDb\uFFFD\uFFFD\uFFFD" + `"`, `"a\ufffdb\ufffd\ufffd\ufffd"`},
		{"U+FFFD itself stays", "\uFFFD", `"` + "\uFFFD" + `"`, `"\ufffd"`},
		{"HTML is not escaped", "<b>&", `"<b>&"`, `"<b>&"`},
		{"an event is an object", channellayer.Event{"type": "x"}, `{"type":"x"}`, `{"type": "x"}`},
		{"what no event holds is null", []any{1, struct{}{}}, `[null,null]`, `[null, null]`},
		{"nil lists and maps are empty", []any{[]any(nil), map[string]any(nil)}, `[[],{}]`, `[[], {}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(channellayer.AppendJSON([]byte("before "), tt.v)); got != "before "+tt.want {
				t.Errorf("AppendJSON: got %s, want %s", got, "before "+tt.want)
			}
			if got := string(channellayer.AppendPythonJSON(nil, tt.v)); got != tt.python {
				t.Errorf("AppendPythonJSON: got %s, want %s", got, tt.python)
			}
		})
	}
	if got := channellayer.AppendJSON(nil, loop); len(got) > 10_000 {
		t.Errorf("a map that contains itself became %d bytes", len(got))
	}
}

func TestParseJSON(t *testing.T) {
	tests := []struct {
		name string
		text string
		want any
	}{
		{"an integer is an int64", "[1,-1,0,-0]", []any{int64(1), int64(-1), int64(0), int64(0)}},
		{"a fraction or exponent makes a float64", "[1.0,1e2,1E-2]", []any{1.0, 100.0, 0.01}},
		{"the ends of 64 bits are int64", "[9223372036854775807,-9223372036854775808]", []any{int64(math.MaxInt64), int64(math.MinInt64)}},
		{"a larger integer is what JavaScript reads", "9223372036854775808", 9223372036854775808.0},
		{"the last of equal keys wins", `{"a":1,"b":2,"a":3}`, map[string]any{"a": int64(3), "b": int64(2)}},
		{"escaped keys are equal too", `{"a":1,"\u0061":2}`, map[string]any{"a": int64(2)}},
		{"a surrogate pair is one character", `"\ud83c\udfb8"`, "\U0001F3B8"},
		{"half a pair is U+FFFD", `"\ud83cx\udfb8\ud83c\u0041"`, "\uFFFDx\uFFFD\uFFFDA"},
		{"all escapes", `"\"\\\/\b\f\n\r\t\u0000"`, "\"\\/\b\f\n\r\t\x00"},
		{"white space is allowed around everything", " [ 1 , { \"a\" : null } ]\r\n\t", []any{int64(1), map[string]any{"a": nil}}},
		{"64 levels are the deepest", strings.Repeat("[", 64) + strings.Repeat("]", 64), nestedLists(64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := channellayer.ParseJSON([]byte(tt.text))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, error %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	tests := []struct {
		name string
		text string
	}{
		{"a number beyond float64 is refused", "1e400"},
		{"digits without end are refused", strings.Repeat("9", 100_000)},
		{"65 levels are refused", strings.Repeat("[", 65) + strings.Repeat("]", 65)},
		{"a million levels are refused", strings.Repeat("[", 1<<20)},
		{"NaN is no JSON", "NaN"},
		{"Infinity is no JSON", "[-Infinity]"},
		{"a list may not end in a comma", "[1,]"},
		{"an object may not end in a comma", `{"a":1,}`},
		{"a key is a string", "{a:1}"},
		{"a number may not begin with 0", "01"},
		{"a number may not begin with +", "+1"},
		{"a number may not end in a point", "1."},
		{"an exponent has digits", "1e+"},
		{"a minus has digits", "-"},
		{"a control character must be escaped", "\"a\nb\""},
		{"a control character must be escaped after an escape", "\"\\\\\n\""},
		{"a string must end", `"abc`},
		{"a string must end after an escape", `"\n`},
		{"an escape must end", `"\`},
		{"an escape must be known", `"\x41"`},
		{"a unicode escape has four digits", `"\u12g4"`},
		{"what is not UTF-8 is refused", "\"\xff\""},
		{"nothing is refused", ""},
		{"two values are refused", "1 2"},
		{"words are lower case", "True"},
		{"too many objects are refused", "[" + strings.Repeat("{},", 100_000) + "{}]"},
		{"too many values are refused", "[" + strings.Repeat("0,", 1<<20) + "0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := channellayer.ParseJSON([]byte(tt.text))
			if many := strings.HasPrefix(tt.name, "too many"); many != errors.Is(err, channellayer.ErrTooManyValues) {
				t.Errorf("error %v; ErrTooManyValues is wanted: %v", err, many)
			}
			if got != nil || !errors.Is(err, channellayer.ErrInvalidJSON) {
				t.Fatalf("got %.100v, error %v; want ErrInvalidJSON", got, err)
			}
			if len(err.Error()) > 100 {
				t.Errorf("the error is long: %s", err)
			}
		})
	}
}

func nestedLists(n int) any {
	list := []any{}
	for range n - 1 {
		list = []any{list}
	}
	return list
}

func TestParsePythonJSON(t *testing.T) {
	v, err := channellayer.ParsePythonJSON([]byte(`[NaN, Infinity, -Infinity, -1]`))
	list, ok := v.([]any)
	if err != nil || !ok || len(list) != 4 {
		t.Fatalf("got %v, error %v", v, err)
	}
	if f, ok := list[0].(float64); !ok || !math.IsNaN(f) {
		t.Errorf("NaN is read as %v", list[0])
	}
	if list[1] != math.Inf(1) || list[2] != math.Inf(-1) || list[3] != int64(-1) {
		t.Errorf("got %v, want infinities and -1", list[1:])
	}
}

// FuzzParseJSON compares with encoding/json, which knows no int64, no bounds, and mends what is not UTF-8.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{"type":"chat.message","message":"hi","n":[1,-2.5e3,null,true,false]}`, `"\ud83c\udfb8\u00e9\\"`, "[[[]]]", `{"a":{"b":{}}}`,
		"1e400", "-0", "9223372036854775808", "[1,]", "\"\xff\"", " \n", `{"a":1,"a":2}`, "nul", "[NaN]", `"\u`, `{"":""}`,
	} {
		f.Add([]byte(seed))
	}
	for _, a := range readPython(f).Texts {
		f.Add([]byte(a.Compact))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := channellayer.ParseJSON(data)
		var reference any
		referenceErr := json.Unmarshal(data, &reference)
		if err != nil {
			if v != nil || !errors.Is(err, channellayer.ErrInvalidJSON) {
				t.Fatalf("got %v and error %v", v, err)
			}
			small := len(data) < 10_000 && !bytes.Contains(data, bytes.Repeat([]byte("["), 20)) && bytes.Count(data, []byte("{")) < 50
			if small && referenceErr == nil && utf8.Valid(data) && bytes.Count(data, []byte("[")) < 50 {
				t.Fatalf("got error %v for what encoding/json takes", err)
			}
			return
		}
		if referenceErr != nil {
			t.Fatalf("encoding/json refuses it: %v", referenceErr)
		}
		if got := withoutIntegers(v); !reflect.DeepEqual(got, reference) {
			t.Fatalf("got %v, encoding/json %v", got, reference)
		}
		if err := (channellayer.Event{"type": "x", "v": v}).Check(); err != nil && !strings.Contains(err.Error(), "deeper") {
			t.Fatalf("what was read is no value of an event: %v", err)
		}
		checkRoundTrip(t, v)
	})
}

// checkRoundTrip wants that what is written is read again as the same, in both forms.
func checkRoundTrip(t *testing.T, v any) {
	t.Helper()
	text := channellayer.AppendJSON(nil, v)
	again, err := channellayer.ParseJSON(text)
	if err != nil || !reflect.DeepEqual(again, v) {
		t.Fatalf("%s was read as %v, error %v; want %v", text, again, err, v)
	}
	python := channellayer.AppendPythonJSON(nil, v)
	again, err = channellayer.ParsePythonJSON(python)
	if err != nil || !reflect.DeepEqual(again, v) {
		t.Fatalf("%s was read as %v, error %v; want %v", python, again, err, v)
	}
	for _, c := range python {
		if c >= utf8.RuneSelf {
			t.Fatalf("%s is not ASCII", python)
		}
	}
}

// withoutIntegers returns v with float64 for int64, as encoding/json has numbers.
func withoutIntegers(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = withoutIntegers(x)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, x := range v {
			m[key] = withoutIntegers(x)
		}
		return m
	default:
		return v
	}
}

// TestParseJSONMemory shows that the memory is bounded whatever a megabyte of text holds.
func TestParseJSONMemory(t *testing.T) {
	const bound = 64 << 20
	for _, piece := range []string{`[],`, `{},`, `{"a":0},`, `0,`, `"",`, `[[[0]]],`, `{"a":{"b":0}},`} {
		text := []byte("[" + strings.Repeat(piece, 1<<20/len(piece)) + "0]")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := channellayer.ParseJSON(text); err != nil && !errors.Is(err, channellayer.ErrInvalidJSON) {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		t.Logf("a megabyte of %s allocates %d KB", piece, (after.TotalAlloc-before.TotalAlloc)>>10)
		if got := after.TotalAlloc - before.TotalAlloc; got > bound {
			t.Errorf("a megabyte of %s takes %d MB, want less than %d", piece, got>>20, bound>>20)
		}
	}
}
