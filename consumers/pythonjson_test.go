package consumers_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

type chatLine struct {
	Type string  `json:"type"`
	From string  `json:"from"`
	Text string  `json:"text"`
	At   float64 `json:"at"`
}

type author struct {
	Name  string `json:"name"`
	Admin bool   `json:"admin"`
}

type post struct {
	ID     int      `json:"id"`
	Author author   `json:"author"`
	Tags   []string `json:"tags"`
}

type backwards struct {
	Zulu  string `json:"zulu"`
	Alpha string `json:"alpha"`
}

type embedding struct {
	First int `json:"first"`
	backwards
	Last int `json:"last"`
}

type omitting struct {
	Empty  string     `json:"empty,omitempty"`
	Hidden int        `json:"-"`
	ID     int        `json:"id"`
	Absent *backwards `json:"absent,omitempty"`
	secret int
}

type holding struct {
	Any     any        `json:"any"`
	Pointer *backwards `json:"pointer"`
}

type holder struct {
	List []int          `json:"list"`
	Dict map[string]any `json:"dict"`
	Text string         `json:"text"`
}

// level is a key that knows its own text.
type level int

func (l level) MarshalText() ([]byte, error) {
	return []byte(map[level]string{1: "a", 2: "b", 3: "c"}[l]), nil
}

// raw writes its own JSON.
type raw struct{ text string }

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r.text), nil }

var za = backwards{"z", "a"}

// pythonValues are what Go has for the values in testdata/dumps.py.
var pythonValues = map[string][]any{
	"the example of Channels": {
		map[string]any{"a": 1, "b": "hé", "c": []any{1.0, 1000.0, nil, true}},
		channellayer.Event{"a": int64(1), "b": "hé", "c": []any{1.0, 1000.0, nil, true}},
		raw{`{"c":[1.0,1e3,null,true],"a":1,"b":"hé"}`},
	},
	"fields in their order":                         {chatLine{"chat.message", "alice", "hi", 1.5}, &chatLine{"chat.message", "alice", "hi", 1.5}},
	"fields in fields":                              {post{7, author{"bob", false}, []string{"z", "a"}}},
	"embedded fields stand where they are embedded": {embedding{1, za, 2}},
	"an empty field that is left out":               {omitting{ID: 1, secret: 2}},
	"keys of a map":                                 {map[string]int{"c": 3, "b": 2, "a": 1}, map[level]int{3: 3, 2: 2, 1: 1}},
	"keys that are numbers":                         {map[int]string{1: "one", 2: "two", 10: "ten"}, map[uint8]string{1: "one", 2: "two", 10: "ten"}},
	"fields in a map":                               {map[string]backwards{"x": za}, map[string]any{"x": &za}},
	"fields in a map whose keys are numbers":        {map[int]backwards{5: za}},
	"fields in a list":                              {[]backwards{za, {"y", "b"}}, [2]any{za, &backwards{"y", "b"}}},
	"fields behind pointers and interfaces":         {holding{Any: &za}},
	"floats":                                        {[]float64{0.1, 1e16, 1e-7, math.Copysign(0, -1), 123456789012345680.0, 2.5e-5, 1e22}},
	"floats that are no numbers":                    {[]float64{math.NaN(), math.Inf(1), math.Inf(-1)}},
	"integers":                                      {[]int64{0, -1, math.MaxInt64, math.MinInt64}},
	"text":                                          {"a\"b\\c/d\n\t\x00\x1f\x7f\u2028\U0001f600<&>"},
	"nothing":                                       {nil, (*post)(nil)},
	"empty":                                         {holder{List: []int{}, Dict: map[string]any{}}},
}

func TestW12PythonJSONHasTheBytesOfJSONDumps(t *testing.T) {
	text, err := os.ReadFile("testdata/dumps.json")
	if err != nil {
		t.Fatal(err)
	}
	var python struct{ Frames map[string]string }
	if err := json.Unmarshal(text, &python); err != nil {
		t.Fatal(err)
	}
	if len(python.Frames) != len(pythonValues) {
		t.Errorf("Python has %d values, Go %d", len(python.Frames), len(pythonValues))
	}
	for name, want := range python.Frames {
		t.Run(name, func(t *testing.T) {
			if len(pythonValues[name]) == 0 {
				t.Error("Go has no such value")
			}
			for _, v := range pythonValues[name] {
				m, err := consumers.PythonJSON(v)
				if err != nil || m.Kind != consumers.Text || m.Text() != want {
					t.Errorf("%T: got %s, error %v; want %s", v, m.Data, err, want)
				}
			}
		})
	}
}

// ambiguous has two fields of one name, of which the less embedded one counts.
type ambiguous struct {
	backwards
	Middle int    `json:"middle"`
	Other  string `json:"zulu"`
}

func TestPythonJSONTakesTheFieldThatEncodingJSONTakes(t *testing.T) {
	m, err := consumers.PythonJSON(ambiguous{za, 1, "outer"})
	if want := `{"alpha": "a", "middle": 1, "zulu": "outer"}`; m.Text() != want || err != nil {
		t.Errorf("got %s, error %v; want %s", m.Data, err, want)
	}
}

// ring contains itself.
type ring struct {
	Next *ring `json:"next"`
}

func TestPythonJSONRefuses(t *testing.T) {
	endless := new(ring)
	endless.Next = endless
	tests := []struct {
		name string
		v    any
	}{
		{"a number beyond 64 bits", uint64(math.MaxUint64)},
		{"what is no data", func() {}},
		{"what contains itself", endless},
		{"text that is no UTF-8", "\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := consumers.PythonJSON(tt.v); !errors.Is(err, channellayer.ErrInvalidEvent) {
				t.Errorf("got %s, error %v; want ErrInvalidEvent", m.Data, err)
			}
		})
	}
}
