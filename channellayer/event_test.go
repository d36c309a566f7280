package channellayer_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

func ExampleNewEvent() {
	type ChatMessage struct {
		From string `json:"from"`
		Text string `json:"text"`
	}
	e, err := channellayer.NewEvent("chat.message", ChatMessage{From: "alice", Text: "hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(channellayer.AppendJSON(nil, e)))

	var m ChatMessage
	if err := e.Decode(&m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.From, "says", m.Text)
	// Output:
	// {"from":"alice","text":"hello","type":"chat.message"}
	// alice says hello
}

func TestNewEvent(t *testing.T) {
	type said struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	tests := []struct {
		name string
		typ  string
		v    any
		want channellayer.Event // nil: refused
	}{
		{"a struct gives its fields", "x", said{Text: "hi"}, channellayer.Event{"type": "x", "text": "hi"}},
		{"what a struct says about type does not count", "x", said{"evil", "hi"}, channellayer.Event{"type": "x", "text": "hi"}},
		{"what a map says about type does not count", "x", map[string]any{"type": 7}, channellayer.Event{"type": "x"}},
		{"a pointer is what it points to", "x", &said{Text: "hi"}, channellayer.Event{"type": "x", "text": "hi"}},
		{"nothing gives the type alone", "x", nil, channellayer.Event{"type": "x"}},
		{"a nil pointer gives the type alone", "x", (*said)(nil), channellayer.Event{"type": "x"}},
		{"a nil map gives the type alone", "x", map[string]any(nil), channellayer.Event{"type": "x"}},
		{"an event may be sent on under another type", "x", channellayer.Event{"type": "y", "n": int64(1)}, channellayer.Event{"type": "x", "n": int64(1)}},
		{"an int becomes an int64", "x", map[string]any{"n": 1}, channellayer.Event{"type": "x", "n": int64(1)}},
		{"typed maps are maps", "x", map[string]int{"n": 1}, channellayer.Event{"type": "x", "n": int64(1)}},
		{"a key of two underscores is reserved", "x", map[string]any{"__asgi_channel__": "a"}, nil},
		{"any key of two underscores is reserved", "x", map[string]any{"__x": "a"}, nil},
		{"a list has no keys", "x", []int{1}, nil},
		{"a string has no keys", "x", "hi", nil},
		{"an event has a type", "", said{Text: "hi"}, nil},
		{"a type is UTF-8", "\xff", nil, nil},
		{"a function cannot be sent", "x", map[string]any{"f": func() {}}, nil},
		{"text is UTF-8", "x", map[string]string{"text": "\xff"}, nil},
		{"keys are UTF-8", "x", map[string]int{"\xff": 1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := channellayer.NewEvent(tt.typ, tt.v)
			if tt.want == nil {
				if !errors.Is(err, channellayer.ErrInvalidEvent) {
					t.Fatalf("got %v, error %v; want ErrInvalidEvent", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %v, error %v; want %v", got, err, tt.want)
			}
			if err := got.Check(); err != nil {
				t.Errorf("the event is not valid: %v", err)
			}
		})
	}
}

func TestNewEventSharesNothing(t *testing.T) {
	inner := map[string]any{"bytes": []byte("b"), "list": []any{"a"}}
	e, err := channellayer.NewEvent("x", map[string]any{"inner": inner})
	if err != nil {
		t.Fatal(err)
	}
	want := e.Clone()
	inner["bytes"].([]byte)[0] = '!'
	inner["list"].([]any)[0] = "changed"
	inner["more"] = 1
	if !reflect.DeepEqual(e, want) {
		t.Errorf("the event became %v, want %v", e, want)
	}
}

func TestCheck(t *testing.T) {
	loop := map[string]any{}
	loop["loop"] = loop
	wide := []any{int64(1)}
	for range 30 {
		wide = []any{wide, wide} // 2^30 values, in little memory
	}
	tests := []struct {
		name string
		e    channellayer.Event
		want string // part of the error; "" for none
	}{
		{"every type of value", channellayer.Event{"type": "x", "v": []any{nil, true, int64(1), 1.0, "s", []byte("\xff"), map[string]any{}}}, ""},
		{"the event itself is the first of 64 levels", channellayer.Event{"type": "x", "v": nestedLists(63)}, ""},
		{"more levels are refused", channellayer.Event{"type": "x", "v": nestedLists(64)}, "deeper"},
		{"what contains itself is refused", loop, "no type"},
		{"what contains itself is refused also with a type", channellayer.Event{"type": "x", "v": loop}, "deeper"},
		{"what is large only when written out is refused", channellayer.Event{"type": "x", "v": wide}, "more than"},
		{"a type is needed", channellayer.Event{}, "no type"},
		{"a type is text", channellayer.Event{"type": []byte("x")}, "no type"},
		{"an int is refused by its type", channellayer.Event{"type": "x", "n": 7}, "type int,"},
		{"an Event in an Event is refused", channellayer.Event{"type": "x", "e": channellayer.Event{}}, "channellayer.Event"},
		{"a reserved key is refused", channellayer.Event{"type": "x", "__asgi_channel__": []any{}}, "__asgi_channel__"},
		{"a reserved key is none further down", channellayer.Event{"type": "x", "m": map[string]any{"__asgi_channel__": ""}}, ""},
		{"a key is UTF-8", channellayer.Event{"type": "x", "m": map[string]any{"\xff": ""}}, "UTF-8"},
		{"a string is UTF-8", channellayer.Event{"type": "x", "m": []any{"secret\xff"}}, "UTF-8"},
		{"a type is UTF-8", channellayer.Event{"type": "\xff"}, "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.e.Check()
			if tt.want == "" {
				if err != nil {
					t.Fatalf("got error %v, want none", err)
				}
				return
			}
			if !errors.Is(err, channellayer.ErrInvalidEvent) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v, want ErrInvalidEvent with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows what the event holds: %v", err)
			}
		})
	}
}

func TestClone(t *testing.T) {
	want := channellayer.Event{
		"type": "x", "list": []any{[]byte("b"), map[string]any{"k": "v"}}, "nil": nil, "nil list": []any(nil), "nil map": map[string]any(nil),
	}
	e := want.Clone()
	c := e.Clone()
	list := e["list"].([]any)
	list[0].([]byte)[0] = '!'
	list[1].(map[string]any)["k"] = "changed"
	list[0] = nil
	e["more"] = true
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the copy became %v, want %v", c, want)
	}
}
