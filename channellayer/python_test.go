package channellayer_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

// pythonAnswers is testdata/python.json, which testdata/python.py writes.
type pythonAnswers struct {
	Names []struct {
		Name    string
		Channel bool
		Group   bool
	}
	Globs []struct {
		Glob    string
		Name    string
		Matches bool
	}
	Texts []struct {
		Dumps   string
		Compact string
	}
}

func readPython(t testing.TB) pythonAnswers {
	t.Helper()
	data, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers pythonAnswers
	if err := json.Unmarshal(data, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers.Names) == 0 || len(answers.Globs) == 0 || len(answers.Texts) == 0 {
		t.Fatal("testdata/python.json lacks answers")
	}
	return answers
}

// TestNamesAsInPython also checks where this package is stricter: a newline at the end, and what is not ASCII.
func TestNamesAsInPython(t *testing.T) {
	for _, a := range readPython(t).Names {
		quirk := strings.HasSuffix(a.Name, "\n") || strings.ContainsFunc(a.Name, func(r rune) bool { return r > 0x7F })
		checks := []struct {
			kind   string
			err    error
			python bool
		}{
			{"channel", channellayer.CheckChannelName(a.Name), a.Channel},
			{"group", channellayer.CheckGroupName(a.Name), a.Group},
		}
		for _, c := range checks {
			if want := c.python && !quirk; (c.err == nil) != want {
				t.Errorf("%s %q: got error %v, want valid %v", c.kind, a.Name, c.err, want)
			}
			if c.err != nil && !errors.Is(c.err, channellayer.ErrInvalidName) {
				t.Errorf("%s %q: got error %v, want ErrInvalidName", c.kind, a.Name, c.err)
			}
		}
	}
}

func TestGlobsAsInPython(t *testing.T) {
	for _, a := range readPython(t).Globs {
		c := channellayer.NewCapacities(0, []channellayer.Capacity{{Glob: a.Glob, Capacity: 1}})
		if got := c.Of(a.Name) == 1; got != a.Matches {
			t.Errorf("glob %q, name %q: got match %v, want %v", a.Glob, a.Name, got, a.Matches)
		}
	}
}

func TestJSONAsInPython(t *testing.T) {
	for _, a := range readPython(t).Texts {
		v, err := channellayer.ParsePythonJSON([]byte(a.Dumps))
		if err != nil {
			t.Errorf("ParsePythonJSON(%s): %v", a.Dumps, err)
			continue
		}
		if got := string(channellayer.AppendPythonJSON(nil, v)); got != a.Dumps {
			t.Errorf("AppendPythonJSON: got %s, want %s", got, a.Dumps)
		}
		want := a.Compact
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			want = "null"
		}
		if got := string(channellayer.AppendJSON(nil, v)); got != want {
			t.Errorf("AppendJSON: got %s, want %s", got, want)
		}
	}
}
