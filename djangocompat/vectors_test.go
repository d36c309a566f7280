package djangocompat_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// vector is a case of a file of Django's answers: what In asks, Out answers, in the versions of Django.
type vector[In, Out any] struct {
	Name   string   `json:"name"`
	Django []string `json:"django"`
	Input  In       `json:"input"`
	Expect Out      `json:"expect"`
}

// newest reports whether the answer is that of the newest Django, not only of an older one.
func (v vector[In, Out]) newest() bool {
	return slices.ContainsFunc(v.Django, func(version string) bool { return version >= "4.2" })
}

// vectors reads the cases of testdata/name.gz whose name begins with prefix; there must be some.
func vectors[In, Out any](tb testing.TB, name, prefix string) []vector[In, Out] {
	tb.Helper()
	packed, err := os.ReadFile("testdata/" + name + ".gz")
	if err != nil {
		tb.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	var file struct{ Cases []vector[In, Out] }
	if err := json.NewDecoder(r).Decode(&file); err != nil {
		tb.Fatal(err)
	}
	cases := slices.DeleteFunc(file.Cases, func(v vector[In, Out]) bool { return !strings.HasPrefix(v.Name, prefix) })
	if len(cases) == 0 {
		tb.Fatalf("%s has no case %s…", name, prefix)
	}
	return cases
}

// exceptions lists cases that are not checked, by the beginning of their names, and why.
type exceptions map[string]string

// skip skips the test if name is an exception, and says why.
func (e exceptions) skip(t *testing.T, name string) {
	t.Helper()
	for prefix, why := range e {
		if strings.HasPrefix(name, prefix) {
			t.Skip(why)
		}
	}
}

// repeated is a text of parts that are repeated; each code point is a byte.
type repeated [][2]any

func (r repeated) text() string {
	var b strings.Builder
	for _, part := range r {
		for range int(part[1].(float64)) {
			b.WriteString(part[0].(string))
		}
	}
	return b.String()
}

func fromBase64(tb testing.TB, text string) string {
	tb.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// sameValue reports whether got, a Go value of this package's, is the value whose JSON text is want. The
// texts of numbers must be equal, so that 1 is not 1.0. In want, NaN and the infinities may be tagged.
func sameValue(tb testing.TB, got any, want json.RawMessage) bool {
	tb.Helper()
	text, err := djangocompat.AppendJSON(nil, tagged(got))
	if err != nil {
		tb.Errorf("no JSON: %v", err)
		return false
	}
	return reflect.DeepEqual(generic(tb, text), generic(tb, want))
}

func generic(tb testing.TB, text []byte) any {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		tb.Fatalf("reading JSON: %v", err)
	}
	return v
}

// tagged writes NaN and the infinities as the vectors do.
func tagged(v any) any {
	switch v := v.(type) {
	case float64:
		switch {
		case math.IsNaN(v):
			return map[string]any{"$type": "float", "value": "nan"}
		case math.IsInf(v, 1):
			return map[string]any{"$type": "float", "value": "inf"}
		case math.IsInf(v, -1):
			return map[string]any{"$type": "float", "value": "-inf"}
		}
	case []any:
		l := make([]any, len(v))
		for i := range v {
			l[i] = tagged(v[i])
		}
		return l
	case map[string]any:
		m := make(map[string]any, len(v))
		for key := range v {
			m[key] = tagged(v[key])
		}
		return m
	}
	return v
}

// asMap returns all of a session's values.
func asMap(d djangocompat.SessionData) any {
	return maps.Collect(d.All())
}
