package djangocompat_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

type pickledInput struct {
	SecretKey    string   `json:"secret_key"`
	SessionData  string   `json:"session_data"`
	PickleB64    string   `json:"pickle_b64"`
	PickleRepeat repeated `json:"pickle_repeat"`
}

// pickle returns the pickle that the input is about.
func (in pickledInput) pickle(tb testing.TB) []byte {
	tb.Helper()
	if in.PickleRepeat != nil {
		var data []byte
		for _, r := range in.PickleRepeat.text() {
			data = append(data, byte(r))
		}
		return data
	}
	if in.SessionData == "" {
		data, err := base64.StdEncoding.DecodeString(in.PickleB64)
		if err != nil {
			tb.Fatal(err)
		}
		return data
	}
	data, err := in.codec().DecodeBytes(in.SessionData)
	if err != nil {
		tb.Fatalf("DecodeBytes: %v", err)
	}
	return data
}

// codec is that of a site with PickleSerializer.
func (in pickledInput) codec() djangocompat.SessionCodec {
	return djangocompat.SessionCodec{
		Keys: djangocompat.NewKeys(in.SecretKey), Serializer: djangocompat.PickleSerializer, MaxSize: 4 << 20,
	}
}

type pickledExpect struct {
	Value       json.RawMessage `json:"value"`
	SameValueAs string          `json:"same_value_as"`
	Error       bool            `json:"error"`
	Allowed     []string        `json:"allowed"`
	MaxMemoryMB int             `json:"max_memory_mb"`
	MaxSeconds  float64         `json:"max_seconds"`
}

type pickledVector = vector[pickledInput, pickledExpect]

// pickledVectors returns the cases of the tiers; hostile ones are those whose name begins so.
func pickledVectors(tb testing.TB, name string, chosen func(pickledVector) bool) []pickledVector {
	tb.Helper()
	all := vectors[pickledInput, pickledExpect](tb, name, "")
	values := make(map[string]json.RawMessage, len(all))
	for _, v := range all {
		values[v.Name] = v.Expect.Value
	}
	for i, v := range all {
		if v.Expect.SameValueAs != "" {
			all[i].Expect.Value = values[v.Expect.SameValueAs]
		}
	}
	all = slices.DeleteFunc(all, func(v pickledVector) bool { return !chosen(v) })
	if len(all) == 0 {
		tb.Fatalf("%s has no such case", name)
	}
	return all
}

func hasPrefix(prefix string) func(pickledVector) bool {
	return func(v pickledVector) bool { return strings.HasPrefix(v.Name, prefix) }
}

func not(chosen func(pickledVector) bool) func(pickledVector) bool {
	return func(v pickledVector) bool { return !chosen(v) }
}

// checkPickledRefusal checks that an error has a kind.
func checkPickledRefusal(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, djangocompat.ErrMalformed) && !errors.Is(err, djangocompat.ErrTooLarge) {
		t.Errorf("ParsePickledSession: an error of no kind: %v", err)
	}
}

// isSession reports whether a rendered value is a dict.
func isSession(rendered json.RawMessage) bool {
	return strings.HasPrefix(string(rendered), "{") && !strings.HasPrefix(string(rendered), `{"$type":`) ||
		strings.HasPrefix(string(rendered), `{"$type":"dict"`)
}

// TestPickledSessionVectors checks that a session has the value that CPython gives it, and that what
// CPython refuses, or what is no dict, is refused with an error of a kind.
func TestPickledSessionVectors(t *testing.T) {
	values := 0
	for _, v := range pickledVectors(t, "sessions_pickle.json", not(hasPrefix("hostile/"))) {
		t.Run(v.Name, func(t *testing.T) {
			data := v.Input.pickle(t)
			d, err := djangocompat.ParsePickledSession(data, 4<<20)
			if err != nil {
				checkPickledRefusal(t, err)
				if mustRead(v) {
					t.Errorf("ParsePickledSession: %v, want %s", err, v.Expect.Value)
				}
				return
			}
			values++
			if v.Expect.Error {
				t.Fatalf("ParsePickledSession = %s, want an error", d.JSON())
			}
			checkPickledSession(t, d, data, v.Expect.Value)
		})
	}
	if values < 300 {
		t.Errorf("only %d sessions were read", values)
	}
}

// mustRead reports whether a case has to be read: those of the tiers core, common and hand, of which CPython
// makes a dict.
func mustRead(v pickledVector) bool {
	return !v.Expect.Error && v.Expect.Allowed == nil && !strings.HasPrefix(v.Name, "fuzz/") && isSession(v.Expect.Value)
}

func checkPickledSession(t *testing.T, d djangocompat.SessionData, data []byte, want json.RawMessage) {
	t.Helper()
	if !sameValue(t, generic(t, d.JSON()), want) {
		t.Errorf("ParsePickledSession = %s, want %s", d.JSON(), want)
	}
	if same, err := d.Pickle(); err != nil || string(same) != string(data) {
		t.Errorf("Pickle = %x, %v, want what was read, %x", same, err, data)
	}
	changed := with(t, d, "added", pickle.NewList(int64(1)))
	for key := range d.Keys() {
		before, ok := d.RawJSON(key)
		after, still := changed.RawJSON(key)
		if strings.Contains(before, `"recursive"`) { // the session may be inside itself
			continue
		}
		if ok != still || before != after {
			t.Errorf("after With the value of a key is %s, want %s", after, before)
		}
	}
	if back := changed.Without("added"); !sameValue(t, generic(t, back.JSON()), want) && !d.Has("added") {
		t.Errorf("after With and Without: %s, want %s", back.JSON(), want)
	}
}

// TestPickledSessionSigned checks the way through the codec, and that another serializer says what is wrong.
func TestPickledSessionSigned(t *testing.T) {
	for _, v := range pickledVectors(t, "sessions_pickle.json", func(v pickledVector) bool {
		return v.Input.SessionData != "" && mustRead(v)
	}) {
		t.Run(v.Name, func(t *testing.T) {
			codec := v.Input.codec()
			d, err := codec.Decode(v.Input.SessionData)
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			if any, err := codec.DecodeAny(v.Input.SessionData); err != nil || !any.Equal(d) {
				t.Errorf("DecodeAny = %s, %v, want %s", any.JSON(), err, d.JSON())
			}
			text, err := codec.Encode(d)
			if err != nil {
				t.Fatalf("Encode: %v", err)
			}
			if again, err := codec.Decode(text); err != nil || !again.Equal(d) {
				t.Errorf("Decode of Encode = %s, %v, want %s", again.JSON(), err, d.JSON())
			}
			codec.Serializer = djangocompat.JSONSerializer
			if d, err := codec.Decode(v.Input.SessionData); !errors.Is(err, djangocompat.ErrPickled) || d.Len() != 0 {
				t.Errorf("Decode with the JSON serializer = %s, %v, want ErrPickled", d.JSON(), err)
			}
		})
	}
}

// TestCachedSessionVectors checks the pickles that Django's cache engines have stored.
func TestCachedSessionVectors(t *testing.T) {
	for _, v := range pickledVectors(t, "cache_sessions.json", hasPrefix("")) {
		t.Run(v.Name, func(t *testing.T) {
			data := v.Input.pickle(t)
			d, err := djangocompat.ParsePickledSession(data, 4<<20)
			switch {
			case err != nil && isSession(v.Expect.Value) && string(v.Expect.Value) != "{}":
				t.Errorf("ParsePickledSession: %v, want %s", err, v.Expect.Value)
			case err != nil:
				checkPickledRefusal(t, err)
			default:
				checkPickledSession(t, d, data, v.Expect.Value)
			}
		})
	}
}
