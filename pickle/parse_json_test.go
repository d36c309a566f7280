package pickle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belleville/belleville/pickle"
)

func TestParseJSONMakesWhatAppendJSONShows(t *testing.T) {
	for _, tt := range loadVectors(t, "core", "common") {
		t.Run(tt.Name, func(t *testing.T) {
			v, err := pickle.ParseJSON(tt.expect.Value, pickle.Config{})
			if err != nil {
				t.Fatalf("ParseJSON: %v", err)
			}
			checkText(t, "ParseJSON, AppendJSON", show(t, v), string(tt.expect.Value))
			checkText(t, "ParseJSON, Encode, Decode", show(t, decodeAgain(t, v)), string(tt.expect.Value))
		})
	}
}

func TestParseJSON(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // "" where it is refused
	}{
		{"space is skipped", " [ 1 , { \"a\" : null } ] \n", `[1,{"a":null}]`},
		{"the last of two equal names counts", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"a pair of surrogates is one character", `"\ud83d\ude00"`, `"\ud83d\ude00"`},
		{"a lone surrogate is kept", `"\ud83dx"`, `{"$type":"str","code_points":[55357,120]}`},
		{"a low surrogate alone is kept", `"\ude00\ud83d"`, `{"$type":"str","code_points":[56832,55357]}`},
		{"raw UTF-8 is read", `"é😀"`, `"\u00e9\ud83d\ude00"`},
		{"every escape is read", `"\"\\\/\b\f\n\r\t\u0041"`, `"\"\\/\b\f\n\r\tA"`},
		{"an int may be of any size", `-123456789012345678901234567890`, `{"$type":"int","value":"-123456789012345678901234567890"}`},
		{"a number with a point is a float", `[1.0,-0.0,1e2,1E+2,5e-324]`, `[1.0,-0.0,100.0,100.0,5e-324]`},
		{"a float that is too large is infinite, as in Python", `1e999`, `{"$type":"float","value":"inf"}`},
		{
			"NaN and Infinity are read, as in Python", `[NaN,Infinity,-Infinity]`,
			`[{"$type":"float","value":"nan"},{"$type":"float","value":"inf"},{"$type":"float","value":"-inf"}]`,
		},
		{"a tuple", `{"$type":"tuple","items":[1,[2]]}`, `{"$type":"tuple","items":[1,[2]]}`},
		{"a dict with any keys", `{"$type":"dict","items":[["$x",1],[null,2]]}`, `{"$type":"dict","items":[["$x",1],[null,2]]}`},
		{"a UUID", `{"$type":"UUID","value":"ec8f2d28-09f7-413e-99c0-b2dbb444c3f0"}`, `{"$type":"UUID","value":"ec8f2d28-09f7-413e-99c0-b2dbb444c3f0"}`},

		{"nothing", ``, ""},
		{"two values", `1 2`, ""},
		{"an array that does not end", `[1`, ""},
		{"a comma too many", `[1,]`, ""},
		{"a comma too few", `[1 2]`, ""},
		{"an array that ends as an object", `[1}`, ""},
		{"an object without names", `{1:2}`, ""},
		{"a number with a leading zero", `01`, ""},
		{"a number with a plus", `+1`, ""},
		{"a number that ends with a point", `1.`, ""},
		{"a hexadecimal number", `0x1`, ""},
		{"a number with an underscore", `1_0`, ""},
		{"an unknown word", `nil`, ""},
		{"a control character in a string", "\"\n\"", ""},
		{"an unknown escape", `"\x41"`, ""},
		{"a string that does not end", `"abc`, ""},
		{"an escape that does not end", `"\u00`, ""},
		{"bytes that are no UTF-8", "\"\xff\"", ""},
		{"an unknown type", `{"$type":"code","value":"x"}`, ""},
		{"a name with a dollar without a type", `{"$x":1}`, ""},
		{"an opaque object", `{"$type":"opaque","class":"os.system"}`, ""},
		{"a recursive value", `[{"$type":"recursive"}]`, ""},
		{"a list as a key", `{"$type":"dict","items":[[[],1]]}`, ""},
		{"a pair of three", `{"$type":"dict","items":[[1,2,3]]}`, ""},
		{"a UUID that is too short", `{"$type":"UUID","value":"ec8f2d28"}`, ""},
		{"a day that there is not", `{"$type":"date","value":"2023-02-29"}`, ""},
		{"base64 that is none", `{"$type":"bytes","b64":"?"}`, ""},
		{"a Decimal that is none", `{"$type":"Decimal","value":"one"}`, ""},
		{"a timedelta that is too long", `{"$type":"timedelta","days":1000000000,"seconds":0,"microseconds":0}`, ""},
		{"a time zone of an unknown kind", `{"$type":"tzinfo","tz":{"kind":"moon"}}`, ""},
		{"a time zone that is a dict with odd keys", `{"$type":"tzinfo","tz":{"$type":"dict","items":[[1,2]]}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := pickle.ParseJSON([]byte(tt.text), pickle.Config{})
			if tt.want == "" {
				if !errors.Is(err, pickle.ErrMalformed) && !errors.Is(err, pickle.ErrUnsupported) {
					t.Errorf("ParseJSON = %v, %v, want a refusal", pickle.Sprint(v), err)
				}
				return
			}
			if err != nil {
				t.Fatalf("ParseJSON: %v", err)
			}
			if got := show(t, v); got != tt.want {
				t.Errorf("ParseJSON gives %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseJSONDoesNotRecurse(t *testing.T) {
	const depth = 1 << 20
	text := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	if _, err := pickle.ParseJSON([]byte(text), pickle.Config{}); err != nil {
		t.Errorf("ParseJSON of %d levels: %v", depth, err)
	}
	if _, err := pickle.ParseJSON([]byte(text), pickle.Config{MaxBytes: 100}); !errors.Is(err, pickle.ErrLimit) {
		t.Errorf("ParseJSON beyond MaxBytes = %v, want ErrLimit", err)
	}
}
