package channellayer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// base, Exported and others are embedded in the structs of the tests.
type base struct {
	ID     int `json:"id"`
	Shared string
}

type Exported struct {
	Shared string
	Deep   string
}

type Tagged struct {
	Other string `json:"Deep"`
}

type pointerMarshaler struct{ n int }

func (p *pointerMarshaler) MarshalText() ([]byte, error) { return fmt.Append(nil, "no ", p.n), nil }

type color int

func (c color) MarshalText() ([]byte, error) { return fmt.Append(nil, "color ", int(c)), nil }

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("cannot") }

type self struct {
	Name string `json:"name"`
	Next *self  `json:"next,omitempty"`
}

// goValue is a Go value of which ValueOf makes what encoding/json makes.
type goValue struct {
	name string
	v    any
}

func checkAsInJSON(t *testing.T, tests []goValue) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := channellayer.ValueOf(tt.v)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(tt.v)
			if err != nil {
				t.Fatal(err)
			}
			var want, again any
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(channellayer.AppendJSON(nil, got), &again); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(again, want) {
				t.Errorf("got %s, encoding/json %s", channellayer.AppendJSON(nil, got), text)
			}
			if err := (channellayer.Event{"type": "x", "v": got}).Check(); err != nil {
				t.Errorf("got no value of an event: %v", err)
			}
		})
	}
}

func TestValueOfTags(t *testing.T) {
	seven := 7
	checkAsInJSON(t, []goValue{
		{"names, and - for none", struct {
			A int `json:"a"`
			B int `json:"-"`
			D int `json:",omitempty"`
			f int
		}{A: 1, B: 2, f: 4}},
		{"tags that one should not write", oddTags()},
		{"omitempty", struct {
			I int            `json:"i,omitempty"`
			S string         `json:"s,omitempty"`
			L []int          `json:"l,omitempty"`
			M map[string]int `json:"m,omitempty"`
			P *int           `json:"p,omitempty"`
			A [0]int         `json:"a,omitempty"`
			T struct{}       `json:"t"`
			E error          `json:"e,omitempty"`
			F float64        `json:"f,omitempty"`
			B bool           `json:"b,omitempty"`
		}{L: []int{}, M: map[string]int{}}},
		{"omitzero", struct {
			T time.Time  `json:"t,omitzero"`
			P *time.Time `json:"p,omitzero"`
			L []int      `json:"l,omitzero"`
			S struct{ X int }
		}{L: []int{}}},
		{"numbers in strings", struct {
			I int64   `json:"i,string"`
			F float64 `json:"f,string"`
			B bool    `json:"b,string"`
			P *int    `json:"p,string"`
			N *int    `json:"n,string"`
		}{I: 1 << 60, F: 1.5, B: true, P: &seven}},
	})
}

func TestValueOfEmbedded(t *testing.T) {
	checkAsInJSON(t, []goValue{
		{"an embedded struct lends its fields", struct {
			base
			Name string `json:"name"`
		}{base{1, "s"}, "n"}},
		{"the less deep field wins", struct {
			base
			Shared int
		}{base{1, "s"}, 2}},
		{"of two equal fields none counts", struct {
			base
			Exported
		}{base{1, "s"}, Exported{"t", "d"}}},
		{"of two equal fields the tagged one counts", struct {
			Exported
			Tagged
		}{Exported{"t", "d"}, Tagged{"tagged"}}},
		{"an embedded nil pointer lends nothing", struct {
			*Exported
			N int
		}{nil, 1}},
		{"an embedded pointer lends its fields", struct{ *Exported }{&Exported{"s", "d"}}},
		{"an embedded struct with a name is a field", struct {
			Exported `json:"inner"`
		}{Exported{"s", "d"}}},
		{"an embedded type that is no struct is a field", struct {
			color
			Duration time.Duration
		}{1, 2}},
	})
}

func TestValueOfTypes(t *testing.T) {
	seven := 7
	var nothing error
	stamp := time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC)
	checkAsInJSON(t, []goValue{
		{"times are text", map[string]any{"t": stamp, "p": &stamp}},
		{"MarshalText on a pointer counts where there is one", struct {
			P *pointerMarshaler
			L []pointerMarshaler
		}{&pointerMarshaler{1}, []pointerMarshaler{{2}}}},
		{"MarshalText without a pointer does not count", struct{ V pointerMarshaler }{pointerMarshaler{1}}},
		{"keys by MarshalText", map[color]int{1: 2}},
		{"keys that are numbers", []any{map[int]int{-1: 2}, map[uint8]int{1: 2}}},
		{"keys by MarshalText of another package", map[netip.Addr]bool{netip.MustParseAddr("::1"): true}},
		{"raw JSON", json.RawMessage(` {"a": [1, 2.5, "x"]} `)},
		{"numbers as text", []json.Number{"1", "2.5"}},
		{"a big integer that is not", big.NewInt(5)},
		{"arrays and nil", []any{[2]int{1, 2}, [2]byte{1, 2}, nil, (*int)(nil), []int(nil), map[string]int(nil), nothing}},
		{"all kinds of numbers", []any{int8(-1), int16(2), int32(3), uint(4), uint8(5), uint16(6), uint32(7), uint64(8), float32(0.1), 1.5}},
		{"a chain of pointers", self{"a", &self{"b", &self{"c", nil}}}},
		{"interfaces within", []any{any(any(&seven)), fmt.Stringer(time.Second)}},
		{"bytes are base64 there", [][]byte{[]byte("abc"), {}}},
	})
}

// oddTags returns a struct whose tags no checker of sources lets pass.
func oddTags() any {
	number, list := reflect.TypeFor[int](), reflect.TypeFor[[]string]()
	return reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Dash", Type: number, Tag: `json:"-,"`},
		{Name: "Quote", Type: number, Tag: `json:"bad\"name"`},
		{Name: "Unknown", Type: number, Tag: `json:"unknown,option,,omitempty"`},
		{Name: "List", Type: list, Tag: `json:"list,string"`},
		{Name: "None", Type: list, Tag: `json`},
	})).Elem().Interface()
}

func TestValueOf(t *testing.T) {
	type bytesAlias []byte
	var endless any
	endless = &endless
	ring := &self{Name: "a"}
	ring.Next = ring
	deep := any(1)
	for range 64 {
		deep = []any{deep}
	}
	tests := []struct {
		name string
		v    any
		want any // nil: refused
	}{
		{"an integer becomes an int64", uint8(7), int64(7)},
		{"the largest int64 fits", uint64(math.MaxInt64), int64(math.MaxInt64)},
		{"a larger integer is refused", uint64(math.MaxInt64) + 1, nil},
		{"a larger integer is refused as text", json.Number("9223372036854775808"), nil},
		{"a larger integer is refused from MarshalJSON", new(big.Int).Lsh(big.NewInt(1), 64), nil},
		{"a float stays one without fraction", 1000.0, 1000.0},
		{"a float32 is the decimal number that one sees", float32(0.1), 0.1},
		{"infinity stays", float32(math.Inf(1)), math.Inf(1)},
		{"bytes stay bytes", bytesAlias("b"), []byte("b")},
		{"empty bytes stay bytes", []byte{}, []byte{}},
		{"a string type is a string", time.Monday.String(), "Monday"},
		{"64 levels are the deepest", deep, deep64()},
		{"65 levels are refused", []any{deep}, nil},
		{"a pointer to itself is refused", endless, nil},
		{"a ring is refused", ring, nil},
		{"a channel is refused", make(chan int), nil},
		{"a complex number is refused", 1i, nil},
		{"keys of structs are refused", map[struct{}]int{{}: 1}, nil},
		{"an error of MarshalJSON is handed on", failing{}, nil},
		{"what MarshalJSON nests counts as levels", []any{json.RawMessage(strings.Repeat("[", 64) + strings.Repeat("]", 64))}, nil},
		{"more than a million values are refused", make([]int, channellayer.MaxElements), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := channellayer.ValueOf(tt.v)
			if tt.want == nil {
				if err == nil {
					t.Fatalf("got %.100v, want an error", got)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %v, error %v; want %v", got, err, tt.want)
			}
		})
	}
}

// deep64 returns 64 lists around an int64.
func deep64() any {
	v := any(int64(1))
	for range 64 {
		v = []any{v}
	}
	return v
}
