package pickle_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"testing"
	_ "time/tzdata"

	"github.com/belleville/belleville/pickle"
)

// vectors is testdata/vectors.json.gz, whose "about" says what is in it.
type vectors struct {
	Answers []answer
	Cases   []*vector
}

type answer struct {
	Value   json.RawMessage
	Error   bool
	Allowed []string // in the tiers that leave a choice
	// For the hostile ones.
	MaxMemoryMB int     `json:"max_memory_mb"`
	MaxSeconds  float64 `json:"max_seconds"`
}

type vector struct {
	Name         string
	Tier         string
	PickleB64    []byte              `json:"pickle_b64"`
	PickleRepeat [][]json.RawMessage `json:"pickle_repeat"`
	ThenText     bool                `json:"then_text"`
	ThenB64      []byte              `json:"then_b64"`
	Answer       int

	expect answer
	pickle []byte
}

func loadVectors(t testing.TB, tiers ...string) []*vector {
	t.Helper()
	file, err := os.Open("testdata/vectors.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.NewDecoder(unzipped).Decode(&all); err != nil {
		t.Fatal(err)
	}
	var chosen []*vector
	for _, v := range all.Cases {
		if slices.Contains(tiers, v.Tier) {
			v.expect = all.Answers[v.Answer]
			v.pickle = v.assemble(t)
			chosen = append(chosen, v)
		}
	}
	if len(chosen) == 0 {
		t.Fatalf("no vectors in tiers %v", tiers)
	}
	return chosen
}

// assemble puts the pickle of a case together.
func (v *vector) assemble(t testing.TB) []byte {
	t.Helper()
	data := v.PickleB64
	for _, piece := range v.PickleRepeat {
		var text string
		var times int
		if err := errors.Join(json.Unmarshal(piece[0], &text), json.Unmarshal(piece[1], &times)); err != nil {
			t.Fatal(err)
		}
		data = append(data, bytes.Repeat(latin1(text), times)...)
	}
	if v.ThenText {
		var long struct{ S string }
		if err := json.Unmarshal(v.expect.Value, &long); err != nil {
			t.Fatal(err)
		}
		data = slices.Concat(data, []byte(long.S), v.ThenB64)
	}
	return data
}

// latin1 makes each code point one byte.
func latin1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

const maxShown = 16 << 20 // bytes of JSON that a test asks for

func show(t testing.TB, v any) string {
	t.Helper()
	text, err := pickle.AppendJSON(nil, v, maxShown)
	if err != nil {
		t.Fatalf("AppendJSON: %v", err)
	}
	return string(text)
}

// checkText compares two long texts, and shows where they begin to differ.
func checkText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s, %v", what, differenceOf(got, want))
	}
}

// differenceOf says where two texts begin to differ.
func differenceOf(got, want string) error {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	start := max(0, at-60)
	return fmt.Errorf("from byte %d on:\n got %.200q\nwant %.200q", start, got[start:], want[start:])
}

func TestDecodeGivesWhatPythonGives(t *testing.T) {
	for _, tt := range loadVectors(t, "core", "common", "hand", "opaque", "recursive") {
		t.Run(tt.Name, func(t *testing.T) {
			v, err := pickle.Decode(tt.pickle, pickle.Config{})
			if tt.expect.Error {
				checkRefused(t, err)
				return
			}
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			checkText(t, "Decode", show(t, v), string(tt.expect.Value))
		})
	}
}

func checkRefused(t *testing.T, err error) {
	t.Helper()
	opcode, ok := errors.AsType[*pickle.OpcodeError](err)
	if !ok {
		t.Fatalf("Decode = %v, want an OpcodeError", err)
	}
	if !errors.Is(err, pickle.ErrMalformed) && !errors.Is(err, pickle.ErrUnsupported) && !errors.Is(err, pickle.ErrLimit) {
		t.Errorf("%v has no reason", opcode)
	}
}

// What CPython refuses has to be refused; a value has to be CPython's.
func TestDecodeOfMutatedPickles(t *testing.T) {
	values := 0
	for _, tt := range loadVectors(t, "fuzz") {
		t.Run(tt.Name, func(t *testing.T) {
			v, err := pickle.Decode(tt.pickle, pickle.Config{})
			if tt.expect.Error || err != nil {
				checkRefused(t, err)
				return
			}
			values++
			checkText(t, "Decode", show(t, v), string(tt.expect.Value))
		})
	}
	if values < 20 {
		t.Errorf("only %d of the pickles that CPython loads were read, want 20 at least", values)
	}
}

var bigInt = regexp.MustCompile(`{"\$type":"int","value":"(-?\d+)"}`)

// The legacy sessions have what json.dumps makes of their value.
func TestDecodeOfLegacySessions(t *testing.T) {
	for _, tt := range loadVectors(t, "json") {
		t.Run(tt.Name, func(t *testing.T) {
			v, err := pickle.Decode(tt.pickle, pickle.Config{})
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			got := bigInt.ReplaceAllString(show(t, asJSONDumps(v)), "$1") // json.dumps has no tags
			checkText(t, "Decode", got, string(tt.expect.Value))
		})
	}
}

// decodeAgain is what becomes of v when it is written and read.
func decodeAgain(t testing.TB, v any) any {
	t.Helper()
	data, err := pickle.Encode(v)
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	again, err := pickle.Decode(data, pickle.Config{})
	if err != nil {
		t.Fatalf("Decode of what Encode wrote: %v\n%s", err, base64.StdEncoding.EncodeToString(data))
	}
	return again
}

func TestEncodeKeepsValuesAndReferences(t *testing.T) {
	for _, tt := range loadVectors(t, "core", "common", "hand", "opaque", "recursive", "fuzz") {
		t.Run(path.Clean(tt.Name), func(t *testing.T) {
			v, err := pickle.Decode(tt.pickle, pickle.Config{})
			if err != nil {
				return // TestDecodeGivesWhatPythonGives looks at it
			}
			checkText(t, "Encode, Decode", graph(t, decodeAgain(t, v)), graph(t, v))
		})
	}
}
