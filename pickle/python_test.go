package pickle_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/belleville/belleville/pickle"
)

// pythonWithDjango returns a Python that has Django and time zones.
func pythonWithDjango(t *testing.T) string {
	t.Helper()
	python := "/usr/bin/python3" // Debian's, which has Debian's Django
	if err := exec.Command(python, "-c", "import django, pytz, zoneinfo").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no python3 with Django and pytz: %v", err)
		}
		t.Skipf("needs python3 with Django and pytz (Debian: python3-django python3-tz): %v", err)
	}
	return python
}

// peerCommand is testdata/python/peer.py with args.
func peerCommand(python string, args ...string) *exec.Cmd {
	script := exec.Command(python, append([]string{"-B", filepath.Join("testdata", "python", "peer.py")}, args...)...)
	script.Stderr = os.Stderr
	return script
}

// peer runs testdata/python/peer.py with Django, and returns the lines it prints.
func peer(t *testing.T, input []byte, args ...string) [][]byte {
	t.Helper()
	script := peerCommand(pythonWithDjango(t), args...)
	script.Stdin = bytes.NewReader(input)
	out, err := script.Output()
	if err != nil {
		t.Fatalf("peer.py %v: %v", args, err)
	}
	var lines [][]byte
	for line := range bytes.Lines(out) {
		lines = append(lines, line)
	}
	return lines
}

// A written pickle is one that Python wrote, and what Go made of it.
type written struct {
	Name     string `json:"name"`
	Original []byte `json:"original"`
	Written  []byte `json:"written"`
}

// comparePickles has Python load both pickles of each pair.
func comparePickles(t *testing.T, pairs []written) {
	t.Helper()
	var input bytes.Buffer
	for _, p := range pairs {
		if err := json.NewEncoder(&input).Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	answers := peer(t, input.Bytes(), "compare")
	if len(answers) != len(pairs) {
		t.Fatalf("Python answers to %d of %d pickles", len(answers), len(pairs))
	}
	for _, line := range answers {
		var answer struct{ Name, Difference string }
		if err := json.Unmarshal(line, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Difference != "" {
			t.Errorf("%s: Python loads another value of what Go wrote: %s", answer.Name, answer.Difference)
		}
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := pickle.Encode(v)
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	return data
}

func TestPythonLoadsWhatEncodeWrites(t *testing.T) {
	var pairs []written
	for _, tt := range loadVectors(t, "core", "common", "opaque", "recursive", "hand", "fuzz", "json") {
		v, err := pickle.Decode(tt.pickle, pickle.Config{})
		if err != nil {
			continue // TestDecodeGivesWhatPythonGives looks at it
		}
		pairs = append(pairs, written{tt.Name, tt.pickle, encode(t, v)})
	}
	for name, data := range knots {
		pairs = append(pairs, written{name, []byte(data), encode(t, decode(t, data))})
	}
	comparePickles(t, pairs)
}

// knots are values that contain themselves by way of what cannot be made before its elements.
var knots = map[string]string{
	"an object in a list that it is made of": "\x80\x04cvecapp.things\nNewArgsEx\n]q\x00\x85\x81q\x01h\x00h\x01a0.",
	"an object in a dict that it is made of, by name": "\x80\x04cvecapp.things\nNewArgsEx\n)}q\x00X\x01\x00\x00\x00a}q\x02s" +
		"\x92q\x01h\x02NNsNh\x01s0.",
	"a frozenset in the state of its member":  "\x80\x04cvecapp.things\nPlain\n)\x81q\x00(h\x00\x91q\x010h\x00}X\x01\x00\x00\x00fh\x01sb0h\x01.",
	"a tuple in two lists of its own":         "\x80\x04]q\x00]q\x01\x86q\x020h\x00h\x02a0h\x01h\x02ah\x00a0h\x02.",
	"a long tuple in lists of its own":        "\x80\x04(]q\x00]q\x01]q\x02]q\x03tq\x040h\x00h\x04a0h\x03h\x04a0h\x04.",
	"a tuple in the state of an object in it": "\x80\x04cvecapp.things\nPlain\n)\x81q\x00h\x00\x85q\x010h\x00}X\x01\x00\x00\x00th\x01sb0h\x01.",
	"a dict in a tuple that is its value":     "\x80\x04}q\x00X\x01\x00\x00\x00ah\x00\x85s.",
	"a subclass of list in itself":            "\x80\x04cvecapp.things\nListSub\n)\x81q\x00h\x00a.",
	"a subclass of dict in itself":            "\x80\x04cvecapp.things\nDictSub\n)\x81q\x00Nh\x00s.",
	"an instance of protocol 0 in itself":     "(cvecapp.things\nPlain\noq\x00}X\x01\x00\x00\x00sh\x00sb.",
	"a defaultdict in itself":                 "\x80\x02ccollections\ndefaultdict\nc__builtin__\nlist\n\x85Rq\x00Nh\x00s.",
	"an OrderedDict with attributes":          "\x80\x02ccollections\nOrderedDict\n)Rq\x00}X\x01\x00\x00\x00ah\x00sb.",
}
