package pickle_test

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ogorek "github.com/kisielk/og-rek"

	"github.com/belleville/belleville/pickle"
)

// og-rek is the second opinion on the streams that it handles.

// alike spells a value of either package in the same way. It reports false for what only one of them
// can hold: calls that og-rek leaves symbolic, and what it makes of them here.
func alike(v any) (string, bool) {
	switch v := v.(type) {
	case nil, ogorek.None:
		return "None", true
	case bool, int64:
		return fmt.Sprint(v), true
	case *big.Int:
		return v.String(), true
	case float64:
		return fmt.Sprintf("float(%x)", math.Float64bits(v)), true
	case string:
		return fmt.Sprintf("%q", v), true
	case ogorek.ByteString:
		return fmt.Sprintf("%q", string(v)), true
	case ogorek.Bytes:
		return fmt.Sprintf("b%q", string(v)), true
	case []byte:
		return fmt.Sprintf("bytearray%q", string(v)), true
	case *pickle.ByteArray:
		return fmt.Sprintf("bytearray%q", string(v.Data)), true
	case ogorek.Class:
		return fmt.Sprintf("class %s.%s", v.Module, v.Name), true
	case []any:
		return allAlike("list", v)
	case *pickle.List:
		return allAlike("list", v.Items)
	case ogorek.Tuple:
		return allAlike("tuple", v)
	case pickle.Tuple:
		return allAlike("tuple", v)
	case ogorek.Dict:
		return entriesAlike(v.Iter())
	case *pickle.Dict:
		return entriesAlike(v.All())
	}
	return "", false
}

func allAlike(kind string, values []any) (string, bool) {
	texts := make([]string, len(values))
	for i, v := range values {
		var ok bool
		if texts[i], ok = alike(v); !ok {
			return "", false
		}
	}
	return kind + "[" + strings.Join(texts, " ") + "]", true
}

// entriesAlike sorts the entries: og-rek does not keep their order.
func entriesAlike(all func(func(k, v any) bool)) (string, bool) {
	var texts []string
	good := true
	all(func(k, v any) bool {
		text, ok := allAlike("entry", []any{k, v})
		texts = append(texts, text)
		good = good && ok
		return ok
	})
	slices.Sort(texts)
	return "dict{" + strings.Join(texts, " ") + "}", good
}

func ogrekDecode(data []byte) (any, error) {
	config := &ogorek.DecoderConfig{StrictUnicode: true, PyDict: true}
	return ogorek.NewDecoderWithConfig(bytes.NewReader(data), config).Decode()
}

// ogrekIsWrong says where og-rek is known to be wrong, by a part of the vector's name.
var ogrekIsWrong = map[string]string{
	"shared":                     "it empties lists that are referred to twice",
	"class_and_function_refs/p0": "it keeps the names of Python 2",
	"class_and_function_refs/p1": "it keeps the names of Python 2",
	"class_and_function_refs/p2": "it keeps the names of Python 2",
	"hand/int_text_octal":        "it reads INT 017 as seventeen",
	"hand/pop_mark":              "it ignores POP_MARK",
}

func knownWrong(name string) bool {
	for part := range ogrekIsWrong {
		if strings.Contains(name, part) && !strings.Contains(name, "shared_strings") {
			return true
		}
	}
	return false
}

func TestOgrekReadsTheVectorsAlike(t *testing.T) {
	compared, wrong := 0, 0
	for _, tt := range loadVectors(t, "core", "common", "hand", "opaque", "json", "fuzz") {
		theirs, err := ogrekDecode(tt.pickle)
		if err != nil {
			continue // one of the opcodes that it does not have
		}
		want, ok := alike(theirs)
		if !ok {
			continue
		}
		v, err := pickle.Decode(tt.pickle, pickle.Config{})
		if err != nil {
			if !tt.expect.Error {
				t.Errorf("%s: only og-rek and CPython read it: %v", tt.Name, err)
			}
			continue
		}
		got, _ := alike(v)
		if knownWrong(tt.Name) {
			if got == want {
				t.Errorf("%s: og-rek is right here", tt.Name)
			}
			wrong++
			continue
		}
		compared++
		checkText(t, tt.Name, got, want)
	}
	if compared < 250 {
		t.Errorf("%d pickles compared, want 250 at least", compared)
	}
	t.Logf("%d pickles compared; in %d og-rek is wrong", compared, wrong)
}

// A tree is a random value that both packages can write and read: without shared containers, and
// without ints of more than 127 bytes.
type tree struct {
	rng *rand.Rand
}

// value makes the same value for og-rek and for this package.
func (r tree) value(depth int) (theirs, ours any) {
	if depth == 0 || r.rng.IntN(3) == 0 {
		return r.scalar()
	}
	n := r.rng.IntN(6)
	switch r.rng.IntN(3) {
	case 0:
		list, items := make([]any, n), make([]any, n)
		for i := range n {
			list[i], items[i] = r.value(depth - 1)
		}
		return list, &pickle.List{Items: items}
	case 1:
		theirTuple, ourTuple := make(ogorek.Tuple, n), make(pickle.Tuple, n)
		for i := range n {
			theirTuple[i], ourTuple[i] = r.value(depth - 1)
		}
		return theirTuple, ourTuple
	}
	theirDict, ourDict := ogorek.NewDict(), new(pickle.Dict)
	for range n {
		theirKey, ourKey := r.key()
		theirValue, ourValue := r.value(depth - 1)
		theirDict.Set(theirKey, theirValue)
		if err := ourDict.Set(ourKey, ourValue); err != nil {
			panic(err)
		}
	}
	return theirDict, ourDict
}

// key is no bytearray, which is unhashable, and no bool: of True and 1 as keys og-rek keeps the last,
// Python the first.
func (r tree) key() (theirs, ours any) {
	for {
		theirs, ours = r.scalar()
		switch ours.(type) {
		case bool, *pickle.ByteArray:
		default:
			return theirs, ours
		}
	}
}

func (r tree) scalar() (theirs, ours any) {
	switch r.rng.IntN(9) {
	case 0:
		return ogorek.None{}, nil
	case 1:
		v := r.rng.IntN(2) == 0
		return v, v
	case 2:
		v := int64(r.rng.IntN(600)) - 300
		return v, v
	case 3:
		v := int64(r.rng.Uint64()) >> r.rng.IntN(64)
		return v, v
	case 4:
		v := new(big.Int).Lsh(big.NewInt(int64(r.rng.Uint64()|1)), uint(64+r.rng.IntN(800)))
		return v, v
	case 5:
		v := math.Float64frombits(r.rng.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			v = 0.5
		}
		return v, v
	case 6:
		v := r.text()
		return ogorek.Bytes(v), pickle.Bytes(v)
	case 7:
		v := r.text()
		return []byte(v), &pickle.ByteArray{Data: []byte(v)}
	}
	v := r.text()
	return v, v
}

func (r tree) text() string {
	alphabet := []rune("ab \\\n\r\x00'\"é東😀")
	text := make([]rune, r.rng.IntN(10))
	for i := range text {
		text[i] = alphabet[r.rng.IntN(len(alphabet))]
	}
	return string(text)
}

// og-rek writes in every protocol what Decode reads, and reads what Encode writes.
func TestOgrekAndPickleReadEachOther(t *testing.T) {
	compared := 0
	for n := range uint64(3000) {
		r := tree{rand.New(rand.NewPCG(n, 1))}
		theirs, ours := r.value(4)
		want, _ := alike(ours)

		var stream bytes.Buffer
		protocol := int(n % 6)
		config := &ogorek.EncoderConfig{Protocol: protocol, StrictUnicode: true}
		if err := ogorek.NewEncoderWithConfig(&stream, config).Encode(theirs); err != nil {
			t.Fatalf("seed %d: og-rek's Encode: %v", n, err)
		}
		v, err := pickle.Decode(stream.Bytes(), pickle.Config{})
		if err != nil {
			t.Fatalf("seed %d protocol %d: Decode: %v", n, protocol, err)
		}
		got, _ := alike(v)
		checkText(t, fmt.Sprintf("seed %d protocol %d", n, protocol), got, want)

		back, err := ogrekDecode(encode(t, ours))
		if err != nil {
			t.Fatalf("seed %d: og-rek's Decode: %v", n, err)
		}
		if got, ok := alike(back); ok { // it leaves bytearrays of protocol 4 symbolic
			compared++
			checkText(t, fmt.Sprintf("seed %d read by og-rek", n), got, want)
		}
	}
	if compared < 1000 {
		t.Errorf("og-rek read %d values, want 1000 at least", compared)
	}
}
