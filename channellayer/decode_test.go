package channellayer_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// everything has a field for each kind of thing that Decode knows.
type everything struct {
	Exported
	*Tagged
	I8    int8              `json:"i8"`
	U8    uint8             `json:"u8"`
	I     int               `json:"i"`
	U     uint64            `json:"u"`
	F     float64           `json:"f"`
	F32   float32           `json:"f32"`
	B     bool              `json:"b"`
	S     string            `json:"s"`
	Bytes []byte            `json:"bytes"`
	List  []int             `json:"list"`
	Pair  [2]string         `json:"pair"`
	Map   map[string]string `json:"map"`
	Keys  map[int]bool      `json:"keys"`
	Addrs map[netip.Addr]int
	P     *int         `json:"p"`
	Any   any          `json:"any"`
	Inner *everything  `json:"inner"`
	Time  time.Time    `json:"time"`
	Addr  netip.Addr   `json:"addr"`
	N     json.Number  `json:"n"`
	Raw   *json.Number `json:"raw"`
	Q     int64        `json:"q,string"`
	QU    *uint64      `json:"qu,string"`
	QB    bool         `json:"qb,string"`
	QF    float64      `json:"qf,string"`
	Error error        `json:"error"`
	Skip  string       `json:"-"`
}

func TestDecode(t *testing.T) {
	seven := 7
	large := uint64(math.MaxUint64)
	number := json.Number("1.5")
	tests := []struct {
		name string
		e    channellayer.Event
		want everything
	}{
		{"keys without a field are ignored", channellayer.Event{"type": "x", "no such": []any{}, "Skip": "x", "-": "x"}, everything{}},
		{"names match exactly", channellayer.Event{"I": int64(1), "LIST": []any{int64(1)}}, everything{}},
		{"an integer", channellayer.Event{"i": int64(-5), "u": int64(5)}, everything{I: -5, U: 5}},
		{"a float without fraction fits an integer", channellayer.Event{"i": 1e3, "u8": 255.0}, everything{I: 1000, U8: 255}},
		{"an integer fits a float", channellayer.Event{"f": int64(3), "f32": int64(4)}, everything{F: 3, F32: 4}},
		{"a string, a bool", channellayer.Event{"s": "é", "b": true}, everything{S: "é", B: true}},
		{"bytes, and base64 as in JSON", channellayer.Event{"bytes": []byte("ab")}, everything{Bytes: []byte("ab")}},
		{"base64 is for bytes too", channellayer.Event{"bytes": "YWI="}, everything{Bytes: []byte("ab")}},
		{"a list", channellayer.Event{"list": []any{int64(1), 2.0}}, everything{List: []int{1, 2}}},
		{"an empty list is not nil", channellayer.Event{"list": []any{}}, everything{List: []int{}}},
		{"an array takes what fits", channellayer.Event{"pair": []any{"a", "b", "c"}}, everything{Pair: [2]string{"a", "b"}}},
		{"a map", channellayer.Event{"map": map[string]any{"k": "v"}}, everything{Map: map[string]string{"k": "v"}}},
		{"keys that are numbers", channellayer.Event{"keys": map[string]any{"-1": true}}, everything{Keys: map[int]bool{-1: true}}},
		{
			"keys by UnmarshalText",
			channellayer.Event{"Addrs": map[string]any{"::1": int64(2)}},
			everything{Addrs: map[netip.Addr]int{netip.MustParseAddr("::1"): 2}},
		},
		{"a pointer is made", channellayer.Event{"p": int64(7)}, everything{P: &seven}},
		{"null leaves a value as it is", channellayer.Event{"i": nil, "s": nil, "list": nil, "p": nil, "any": nil}, everything{}},
		{"any holds the event's value", channellayer.Event{"any": []any{int64(1), []byte("b")}}, everything{Any: []any{int64(1), []byte("b")}}},
		{"structs in structs", channellayer.Event{"inner": map[string]any{"inner": map[string]any{"i": int64(1)}}}, everything{Inner: &everything{Inner: &everything{I: 1}}}},
		{"embedded structs", channellayer.Event{"Shared": "s", "Deep": "d"}, everything{Exported: Exported{Shared: "s"}, Tagged: &Tagged{"d"}}},
		{"UnmarshalJSON counts", channellayer.Event{"time": "2024-02-29T12:00:00Z"}, everything{Time: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)}},
		{"UnmarshalText counts", channellayer.Event{"addr": "10.0.0.1"}, everything{Addr: netip.MustParseAddr("10.0.0.1")}},
		{"a number as text", channellayer.Event{"n": int64(12), "raw": 1.5}, everything{N: "12", Raw: &number}},
		{"numbers in strings", channellayer.Event{"q": "-12", "qu": "18446744073709551615", "qb": "true", "qf": "1e3"}, everything{Q: -12, QU: &large, QB: true, QF: 1000}},
		{"numbers not in strings all the same", channellayer.Event{"q": int64(3), "qb": true}, everything{Q: 3, QB: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got everything
			if err := tt.e.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeMismatch(t *testing.T) {
	deep := map[string]any{}
	for range 100 {
		deep = map[string]any{"inner": deep}
	}
	tests := []struct {
		name string
		e    channellayer.Event
	}{
		{"text is no number", channellayer.Event{"i": "secret"}},
		{"a number is no text", channellayer.Event{"s": int64(1)}},
		{"bytes are no text", channellayer.Event{"s": []byte("secret")}},
		{"a number is no bool", channellayer.Event{"b": int64(1)}},
		{"a bool is no number", channellayer.Event{"f": true}},
		{"a fraction is no integer", channellayer.Event{"i": 1.5}},
		{"NaN is no integer", channellayer.Event{"i": math.NaN()}},
		{"infinity is no integer", channellayer.Event{"i": math.Inf(1)}},
		{"2 to the 63rd is no int64", channellayer.Event{"i": math.Exp2(63)}},
		{"a small integer takes no large number", channellayer.Event{"i8": int64(128)}},
		{"an unsigned one takes no negative number", channellayer.Event{"u": int64(-1)}},
		{"a small float takes no large number", channellayer.Event{"f32": math.MaxFloat64}},
		{"a list is no map", channellayer.Event{"map": []any{}}},
		{"a map is no list", channellayer.Event{"list": map[string]any{}}},
		{"within a list", channellayer.Event{"list": []any{int64(1), "secret"}}},
		{"within a map", channellayer.Event{"map": map[string]any{"k": int64(1)}}},
		{"a key that is no number", channellayer.Event{"keys": map[string]any{"secret": true}}},
		{"a key that UnmarshalText refuses", channellayer.Event{"Addrs": map[string]any{"secret": int64(1)}}},
		{"what is not base64", channellayer.Event{"bytes": "secret!"}},
		{"what UnmarshalJSON refuses", channellayer.Event{"time": "secret"}},
		{"what UnmarshalText refuses", channellayer.Event{"addr": "secret"}},
		{"an address is text", channellayer.Event{"addr": int64(1)}},
		{"an interface with methods", channellayer.Event{"error": "secret"}},
		{"a string that holds no number", channellayer.Event{"q": "secret"}},
		{"a string that holds a string", channellayer.Event{"qf": `"secret"`}},
		{"a string that holds no bool", channellayer.Event{"qb": "1"}},
		{"a string that holds null", channellayer.Event{"qf": "null"}},
		{"a string that holds a number too large", channellayer.Event{"qu": "18446744073709551616"}},
		{"what is no value of an event", channellayer.Event{"i": 1}},
		{"what is deeper than an event may be", channellayer.Event{"inner": deep}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var into everything
			err := tt.e.Decode(&into)
			if !errors.Is(err, channellayer.ErrInvalidEvent) {
				t.Fatalf("got error %v, want ErrInvalidEvent", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows what the event holds: %v", err)
			}
		})
	}
}

func TestDecodeInto(t *testing.T) {
	e := channellayer.Event{"type": "x", "list": []any{[]byte("b")}, "bytes": []byte("b")}
	var m map[string]any
	if err := e.Decode(&m); err != nil || !reflect.DeepEqual(m, map[string]any(e)) {
		t.Errorf("into a map: got %v, error %v; want %v", m, err, e)
	}
	m["list"].([]any)[0].([]byte)[0] = '!'
	if got := e["list"].([]any)[0].([]byte)[0]; got != 'b' {
		t.Errorf("what was decoded shares memory with the event")
	}
	for _, bad := range []any{nil, everything{}, (*everything)(nil), m} {
		if err := e.Decode(bad); err == nil {
			t.Errorf("Decode into %T: no error", bad)
		}
	}
	var unexported struct{ *base }
	if err := (channellayer.Event{"id": int64(1)}).Decode(&unexported); err == nil {
		t.Errorf("Decode into an embedded pointer that cannot be set: no error")
	}
	full := everything{I: 1, S: "stays", Inner: &everything{I: 2}}
	if err := (channellayer.Event{"inner": map[string]any{"s": "new"}}).Decode(&full); err != nil {
		t.Fatal(err)
	}
	if full.I != 1 || full.S != "stays" || full.Inner.I != 2 || full.Inner.S != "new" {
		t.Errorf("fields without a key did not stay: %+v, %+v", full, full.Inner)
	}
}

// FuzzDecode decodes what a client may have sent into all kinds of fields.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"i":1,"f":1.5,"s":"x","list":[1,2],"map":{"k":"v"},"inner":{"p":3}}`, `{"q":"12","qu":"1","qb":"true","qf":"\"x\""}`,
		`{"time":"2024-02-29T12:00:00Z","addr":"::1","n":3,"raw":1.5,"keys":{"1":true},"Addrs":{"::1":1}}`, `{"bytes":"YWI=","pair":["a"]}`,
		`{"inner":{"inner":{"inner":{"any":[{}]}}}}`, `{"error":null,"p":null,"Deep":"d"}`, `[]`, `{"i8":1e300}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := channellayer.ParseJSON(data)
		m, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		e := channellayer.Event(m)
		before := e.Clone()
		var into everything
		if e.Decode(&into) == nil {
			if _, err := channellayer.ValueOf(into); err != nil && !errors.Is(err, channellayer.ErrInvalidEvent) {
				t.Fatalf("what was decoded is not encoded: %v", err)
			}
		}
		if !reflect.DeepEqual(e, before) {
			t.Fatalf("Decode changed the event")
		}
	})
}
