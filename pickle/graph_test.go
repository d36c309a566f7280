package pickle_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/belleville/belleville/pickle"
)

// graph spells v out exactly: each container once, under a number, so that two values have the same
// text only if they refer to each other in the same way. Floats are spelled by their bits.
func graph(t testing.TB, v any) string {
	t.Helper()
	g := grapher{numbers: make(map[any]int)}
	var text strings.Builder
	text.WriteString(g.name(v))
	for len(g.todo) > 0 {
		next := g.todo[0]
		g.todo = g.todo[1:]
		text.WriteString("\n" + strconv.Itoa(next.number) + " = " + g.content(t, next.value))
	}
	return text.String()
}

type grapher struct {
	numbers map[any]int
	todo    []numbered
}

type numbered struct {
	number int
	value  any
}

// name is the text of a scalar, and the number of a container.
func (g *grapher) name(v any) string {
	id := v
	switch v := v.(type) {
	case float64:
		return fmt.Sprintf("float(%x)", math.Float64bits(v))
	case complex128:
		return fmt.Sprintf("complex(%x,%x)", math.Float64bits(real(v)), math.Float64bits(imag(v)))
	case *big.Int:
		return v.Text(36)
	case pickle.Tuple:
		if len(v) == 0 {
			return "()"
		}
		id = [2]any{&v[0], len(v)}
	case *pickle.List, *pickle.Dict, *pickle.OrderedDict, *pickle.DefaultDict, *pickle.Set, *pickle.FrozenSet,
		*pickle.Object, *pickle.ByteArray, *pickle.Message, *pickle.LazyString:
	case pickle.DateTime:
		return fmt.Sprintf("%v %v %s", v.Date, [5]int{v.Hour, v.Minute, v.Second, v.Microsecond, v.Fold}, g.name(v.Zone))
	case pickle.Time:
		return fmt.Sprintf("%v %s", [5]int{v.Hour, v.Minute, v.Second, v.Microsecond, v.Fold}, g.name(v.Zone))
	default:
		return fmt.Sprintf("%T(%#v)", v, v)
	}
	number, seen := g.numbers[id]
	if !seen {
		number = len(g.numbers)
		g.numbers[id] = number
		g.todo = append(g.todo, numbered{number, v})
	}
	return "#" + strconv.Itoa(number)
}

func (g *grapher) names(values []any) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = g.name(v)
	}
	return "[" + strings.Join(names, " ") + "]"
}

func (g *grapher) entries(d *pickle.Dict) string {
	var text strings.Builder
	for k, v := range d.All() {
		text.WriteString(g.name(k) + ":" + g.name(v) + " ")
	}
	return "{" + text.String() + "}"
}

func (g *grapher) content(t testing.TB, v any) string {
	switch v := v.(type) {
	case pickle.Tuple:
		return "tuple" + g.names(v)
	case *pickle.List:
		return "list" + g.names(v.Items)
	case *pickle.Dict:
		return "dict" + g.entries(v)
	case *pickle.OrderedDict:
		return "OrderedDict" + g.entries(&v.Dict)
	case *pickle.DefaultDict:
		return "defaultdict" + g.name(v.Factory) + g.entries(&v.Dict)
	case *pickle.Set:
		return "set" + g.names(slices.Collect(v.All()))
	case *pickle.FrozenSet:
		return "frozenset" + g.names(slices.Collect(v.All()))
	case *pickle.ByteArray:
		return fmt.Sprintf("bytearray %x", v.Data)
	case *pickle.Message:
		return fmt.Sprintf("message %d %s %s", v.Level, g.name(v.Message), g.name(v.ExtraTags))
	case *pickle.LazyString:
		return fmt.Sprintf("lazy %v %s %s %s", v.Func, g.name(v.Args), g.name(v.Kwargs), g.names(v.Results))
	case *pickle.Object:
		var text strings.Builder
		text.WriteString(fmt.Sprintf("object %v %s%s state %s items %s", v.Class(), g.name(v.Callable()), g.names(v.Args()),
			g.name(v.State()), g.names(v.Items())))
		for _, e := range v.Entries() {
			text.WriteString(g.name(e.Key) + ":" + g.name(e.Value) + " ")
		}
		return text.String()
	}
	t.Fatalf("a %T in a value", v)
	return ""
}

// asJSONDumps is what json.loads(json.dumps(v)) gives in Python.
func asJSONDumps(v any) any {
	switch v := v.(type) {
	case pickle.Tuple:
		return asJSONDumps(&pickle.List{Items: v})
	case *pickle.List:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = asJSONDumps(item)
		}
		return &pickle.List{Items: items}
	case *pickle.Dict:
		byName := new(pickle.Dict)
		for key, value := range v.All() {
			name, ok := key.(string)
			if !ok {
				name = strings.Trim(pickle.Sprint(key), `"`)
			}
			if err := byName.Set(name, asJSONDumps(value)); err != nil {
				panic(err)
			}
		}
		return byName
	}
	return v
}
