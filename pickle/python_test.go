package pickle_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/belleville/belleville/pickle"
)

// peer runs testdata/python/peer.py with Django, and returns the lines it prints.
func peer(t *testing.T, input []byte, args ...string) [][]byte {
	t.Helper()
	python := "/usr/bin/python3" // Debian's, which has Debian's Django
	if err := exec.Command(python, "-c", "import django, pytz, zoneinfo").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no python3 with Django and pytz: %v", err)
		}
		t.Skipf("needs python3 with Django and pytz (Debian: python3-django python3-tz): %v", err)
	}
	script := exec.Command(python, append([]string{"-B", filepath.Join("testdata", "python", "peer.py")}, args...)...)
	script.Stdin = bytes.NewReader(input)
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		t.Fatalf("peer.py %v: %v", args, err)
	}
	var lines [][]byte
	for scanner := bufio.NewScanner(bytes.NewReader(out)); ; {
		scanner.Buffer(nil, len(out)+1)
		for scanner.Scan() {
			lines = append(lines, bytes.Clone(scanner.Bytes()))
		}
		return lines
	}
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
	comparePickles(t, pairs)
}

// Security row T13: what Python pickles, Go reads as Python does, and writes so that Python reads it
// again with the same references. PICKLE_OBJECTS says how many random values are tried, and
// PICKLE_SEED which.
func TestRandomValuesFromPython(t *testing.T) {
	count, seed := 3000, 1
	for name, n := range map[string]*int{"PICKLE_OBJECTS": &count, "PICKLE_SEED": &seed} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	const batch = 20_000
	for ; count > 0; count, seed = count-batch, seed+batch {
		lines := peer(t, nil, "random", strconv.Itoa(seed), strconv.Itoa(min(count, batch)))
		var pairs []written
		for _, line := range lines {
			var value struct {
				Name, JSON string
				Pickle     []byte
			}
			if err := json.Unmarshal(line, &value); err != nil {
				t.Fatal(err)
			}
			v, err := pickle.Decode(value.Pickle, pickle.Config{})
			if err != nil {
				t.Errorf("%s: Decode: %v", value.Name, err)
				continue
			}
			checkText(t, value.Name+": Decode", show(t, v), value.JSON)
			pairs = append(pairs, written{value.Name, value.Pickle, encode(t, v)})
		}
		comparePickles(t, pairs)
	}
}
