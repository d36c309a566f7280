package pickle

import (
	"encoding/base64"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends v as JSON to dst. What JSON has is written plainly, and the rest as
// {"$type": …}: a tuple as {"$type":"tuple","items":[…]}, an Object as {"$type":"opaque","class":…}.
// Members of sets are sorted by their text. A value that is referred to twice is written twice, and
// one inside itself as {"$type":"recursive"}; if that would take more than maxBytes, AppendJSON fails
// with ErrLimit. All of it is ASCII.
func AppendJSON(dst []byte, v any, maxBytes int) ([]byte, error) {
	r := renderer{out: dst, end: len(dst) + maxBytes, work: 8 * maxBytes, path: make(map[any]struct{})}
	err := r.value(v)
	for err == nil && len(r.open) > 0 {
		err = r.advance()
	}
	if err == nil {
		err = r.check()
	}
	return r.out, err
}

// A renderer writes one value as JSON. Containers that are being written are in open, the innermost
// last.
type renderer struct {
	out   []byte
	end   int              // of out, at most
	work  int              // bytes that may still be moved to sort sets
	path  map[any]struct{} // identities of what is open
	open  []rendering
	zones locations
}

// A rendering is a container that is partly written.
type rendering struct {
	identity any
	shape    shape
	items    []any   // either these
	entries  []Entry // or these
	done     int
	ends     string // what is written at the end
	starts   []int  // of the members of a set, in out
}

type shape byte

const (
	shapeItems  shape = iota // items, after each other
	shapeObject              // entries as "key":value
	shapePairs               // entries as [key,value]
	shapeSet                 // keys of entries, sorted
)

var errTooLong = limited("size of the JSON")

func (r *renderer) check() error {
	if len(r.out) > r.end {
		return errTooLong
	}
	return nil
}

// advance writes the next bit of the innermost container.
func (r *renderer) advance() error {
	if err := r.check(); err != nil {
		return err
	}
	w := &r.open[len(r.open)-1]
	n, i := len(w.items)+len(w.entries), w.done
	if w.shape == shapePairs {
		n *= 2
	}
	if i == n {
		return r.close(w)
	}
	w.done++ // before value, which may move w
	switch {
	case w.shape == shapePairs && i%2 == 1:
		r.out = append(r.out, ',')
		return r.value(w.entries[i/2].Value)
	case w.shape == shapePairs && i > 0:
		r.out = append(r.out, "],"...)
	case i > 0:
		r.out = append(r.out, ',')
	}
	switch w.shape {
	case shapeObject:
		r.quoted(w.entries[i].Key.(string))
		r.out = append(r.out, ':')
		return r.value(w.entries[i].Value)
	case shapePairs:
		r.out = append(r.out, '[')
		return r.value(w.entries[i/2].Key)
	case shapeSet:
		w.starts = append(w.starts, len(r.out))
		return r.value(w.entries[i].Key)
	}
	return r.value(w.items[i])
}

// close ends the innermost container.
func (r *renderer) close(w *rendering) error {
	if w.shape == shapeSet {
		if err := r.sort(w.starts); err != nil {
			return err
		}
	}
	if w.shape == shapePairs && len(w.entries) > 0 {
		r.out = append(r.out, ']')
	}
	r.out = append(r.out, w.ends...)
	delete(r.path, w.identity)
	r.open = r.open[:len(r.open)-1]
	return nil
}

// sort puts the members of a set in order, whose texts begin at starts and end with the output.
func (r *renderer) sort(starts []int) error {
	members := make([]string, len(starts))
	for i, start := range starts {
		end := len(r.out)
		if i+1 < len(starts) {
			end = starts[i+1] - 1 // without the comma
		}
		members[i] = string(r.out[start:end])
	}
	if len(members) < 2 || slices.IsSorted(members) {
		return nil
	}
	if r.work -= len(r.out) - starts[0]; r.work < 0 {
		return errTooLong
	}
	slices.Sort(members)
	r.out = append(r.out[:starts[0]], strings.Join(members, ",")...)
	return nil
}

// value writes v, or opens it.
func (r *renderer) value(v any) error {
	if isNil(v) {
		v = nil
	}
	switch v := v.(type) {
	case nil:
		r.out = append(r.out, "null"...)
	case bool:
		r.out = strconv.AppendBool(r.out, v)
	case int64:
		r.int(v)
	case *big.Int:
		return r.bigInt(v)
	case float64:
		r.float(v)
	case string:
		r.text(v)
	case *List:
		r.begin(v, "[", rendering{items: v.Items, ends: "]"})
	case Tuple:
		r.begin(identityOfTuple(v), `{"$type":"tuple","items":[`, rendering{items: v, ends: "]}"})
	case *Dict:
		r.keyed(v, v.entries)
	case *OrderedDict:
		r.begin(v, `{"$type":"OrderedDict","items":[`, rendering{shape: shapePairs, entries: v.entries, ends: "]}"})
	case *DefaultDict:
		r.defaultDict(v)
	case *Set:
		r.begin(v, `{"$type":"set","items":[`, rendering{shape: shapeSet, entries: v.members.entries, ends: "]}"})
	case *FrozenSet:
		r.begin(v, `{"$type":"frozenset","items":[`, rendering{shape: shapeSet, entries: v.members.entries, ends: "]}"})
	case *Object:
		r.opaque(v.class)
	case []any:
		r.begin(identityOfSlice(v), "[", rendering{items: v, ends: "]"})
	default:
		return r.scalar(v)
	}
	return nil
}

// begin opens a container, unless it is open already.
func (r *renderer) begin(identity any, opening string, w rendering) {
	if _, recursive := r.path[identity]; recursive && len(w.items)+len(w.entries) > 0 {
		r.out = append(r.out, `{"$type":"recursive"}`...)
		return
	}
	r.path[identity] = struct{}{}
	r.out = append(r.out, opening...)
	w.identity = identity
	r.open = append(r.open, w)
}

// keyed writes a dict as an object where its keys are what keys of JSON objects can be, and do not
// look like those of a tagged value.
func (r *renderer) keyed(identity any, entries []Entry) {
	for _, e := range entries {
		name, ok := e.Key.(string)
		if !ok || strings.HasPrefix(name, "$") || !utf8.ValidString(name) {
			r.begin(identity, `{"$type":"dict","items":[`, rendering{shape: shapePairs, entries: entries, ends: "]}"})
			return
		}
	}
	r.begin(identity, "{", rendering{shape: shapeObject, entries: entries, ends: "}"})
}

func (r *renderer) defaultDict(d *DefaultDict) {
	opening := `{"$type":"defaultdict","factory":`
	switch factory := d.Factory.(type) {
	case Class:
		opening += string(appendQuoted(nil, factory.Module+"."+factory.Name))
	case *Object:
		opening += string(appendQuoted(nil, factory.class.Module+"."+factory.class.Name))
	default:
		opening += "null"
	}
	r.begin(d, opening+`,"items":[`, rendering{shape: shapePairs, entries: d.entries, ends: "]}"})
}

func (r *renderer) int(n int64) {
	const exact = 1 << 53 // from here on a float64 does not hold all ints
	if -exact < n && n < exact {
		r.out = strconv.AppendInt(r.out, n, 10)
		return
	}
	r.tagged("int", strconv.FormatInt(n, 10))
}

func (r *renderer) bigInt(n *big.Int) error {
	if n.BitLen()/4 > r.end-len(r.out) { // more digits than there is room for
		return errTooLong
	}
	if n.IsInt64() {
		r.int(n.Int64())
		return nil
	}
	r.tagged("int", n.String())
	return nil
}

func (r *renderer) float(f float64) {
	text := floatText(f)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.tagged("float", text)
		return
	}
	r.out = append(r.out, text...)
}

// floatText writes f as Python's repr does.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func (r *renderer) text(s string) {
	if utf8.ValidString(s) {
		r.quoted(s)
		return
	}
	r.out = append(r.out, `{"$type":"str","code_points":[`...)
	for i, point := range codePoints(s) {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = strconv.AppendInt(r.out, int64(point), 10)
	}
	r.out = append(r.out, "]}"...)
}

func (r *renderer) quoted(s string) { r.out = appendQuoted(r.out, s) }

// tagged writes {"$type": kind, "value": value}.
func (r *renderer) tagged(kind, value string) {
	r.out = append(append(r.out, `{"$type":"`...), kind...)
	r.out = appendQuoted(append(r.out, `","value":`...), value)
	r.out = append(r.out, '}')
}

func (r *renderer) base64(kind string, data []byte) error {
	if len(data) > r.end-len(r.out) {
		return errTooLong
	}
	r.out = append(append(r.out, `{"$type":"`...), kind...)
	r.out = base64.StdEncoding.AppendEncode(append(r.out, `","b64":"`...), data)
	r.out = append(r.out, `"}`...)
	return nil
}

func (r *renderer) opaque(c Class) {
	r.out = appendQuoted(append(r.out, `{"$type":"opaque","class":`...), c.Module+"."+c.Name)
	r.out = append(r.out, '}')
}
