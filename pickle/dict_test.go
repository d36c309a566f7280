package pickle_test

import (
	"fmt"
	"math"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/pickle"
)

func frozen(t testing.TB, members ...any) *pickle.FrozenSet {
	t.Helper()
	s, err := pickle.NewFrozenSet(members...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeysAreEqualAsInPython(t *testing.T) {
	ahead := func(hour, offsetHours int) pickle.DateTime {
		zone := pickle.FixedZone{Offset: time.Duration(offsetHours) * time.Hour}
		return pickle.DateTime{Date: pickle.Date{Year: 2024, Month: 1, Day: 2}, Time: pickle.Time{Hour: hour, Zone: zone}}
	}
	noon := pickle.DateTime{Date: pickle.Date{Year: 2024, Month: 1, Day: 2}, Time: pickle.Time{Hour: 12}}
	folded := noon
	folded.Fold = 1
	large := new(big.Int).Lsh(big.NewInt(1), 70)
	tests := []struct {
		name string
		a, b any
		want bool
	}{
		{"1 and True", int64(1), true, true},
		{"0 and False", int64(0), false, true},
		{"1 and 1.0", int64(1), 1.0, true},
		{"0 and -0.0", int64(0), math.Copysign(0, -1), true},
		{"1 and Decimal 1.00", int64(1), pickle.Decimal("1.00"), true},
		{"0.5 and Decimal 0.5", 0.5, pickle.Decimal("0.5"), true},
		{"0.1 and Decimal 0.1", 0.1, pickle.Decimal("0.1"), false},
		{"equal Decimals", pickle.Decimal("1.10"), pickle.Decimal("1.1"), true},
		{"1E+30 and 10**30", pickle.Decimal("1E+30"), new(big.Int).Exp(big.NewInt(10), big.NewInt(30), nil), true},
		{"1 and 1+0j", int64(1), complex(1, 0), true},
		{"1j and 1j", complex(0, 1), complex(0, 1), true},
		{"2**70 and 2.0**70", large, math.Ldexp(1, 70), true},
		{"2**70 and -2**70", large, new(big.Int).Neg(large), false},
		{"infinity and Decimal Infinity", math.Inf(1), pickle.Decimal("Infinity"), true},
		{"NaN and NaN", math.NaN(), math.NaN(), false},
		{"Decimal NaN and itself", pickle.Decimal("NaN"), pickle.Decimal("NaN"), false},
		{"str and bytes", "a", pickle.Bytes("a"), false},
		{"str and SafeString", "a", pickle.SafeString("a"), true},
		{"1 and '1'", int64(1), "1", false},
		{"None and False", nil, false, false},
		{"Go's int and int64", 5, int64(5), true},
		{"equal tuples", pickle.Tuple{"a", int64(1)}, pickle.Tuple{"a", 1.0}, true},
		{"a tuple and its reverse", pickle.Tuple{"a", "b"}, pickle.Tuple{"b", "a"}, false},
		{"empty tuples", pickle.Tuple{}, pickle.Tuple(nil), true},
		{"a tuple and its element", pickle.Tuple{"a"}, "a", false},
		{"a tuple in a tuple", pickle.Tuple{pickle.Tuple{"a"}}, pickle.Tuple{"a"}, false},
		{"equal frozensets in another order", frozen(t, "a", "b"), frozen(t, "b", "a"), true},
		{"a frozenset and a tuple", frozen(t, "a"), pickle.Tuple{"a"}, false},
		{"frozensets in tuples", pickle.Tuple{frozen(t, int64(1))}, pickle.Tuple{frozen(t, true)}, true},
		{"one instant in two zones", ahead(12, 0), ahead(14, 2), true},
		{"UTC and offset 0", pickle.DateTime{Date: noon.Date, Time: pickle.Time{Hour: 12, Zone: pickle.UTC{}}}, ahead(12, 0), true},
		{"naive and aware", noon, ahead(12, 0), false},
		{"naive with another fold", noon, folded, true},
		{"a date and midnight", noon.Date, pickle.DateTime{Date: noon.Date}, false},
		{
			"times with offsets",
			pickle.Time{Hour: 12, Zone: pickle.UTC{}},
			pickle.Time{Hour: 13, Zone: pickle.FixedZone{Offset: time.Hour}},
			true,
		},
		{"zones with one offset", pickle.UTC{}, pickle.FixedZone{Name: "Z"}, true},
		{"equal UUIDs", pickle.UUID{1}, pickle.UUID{1}, true},
		{"classes", pickle.Class{Module: "a", Name: "b"}, pickle.Class{Module: "a", Name: "c"}, false},
	}
	for _, tt := range tests {
		for _, crowd := range []int{0, 20} { // few entries are looked through, many indexed
			t.Run(fmt.Sprintf("%s, among %d", tt.name, crowd), func(t *testing.T) {
				d := new(pickle.Dict)
				for i := range crowd {
					mustSet(t, d, fmt.Sprint("other ", i), i)
				}
				mustSet(t, d, tt.a, "a")
				_, got := d.Get(tt.b)
				mustSet(t, d, tt.b, "b")
				if got != tt.want || (d.Len() == crowd+1) != tt.want {
					t.Errorf("Get finds %v, and there are %d entries; want equal %v", got, d.Len()-crowd, tt.want)
				}
			})
		}
	}
}

func mustSet(t testing.TB, d *pickle.Dict, key, value any) {
	t.Helper()
	if err := d.Set(key, value); err != nil {
		t.Fatal(err)
	}
}

func TestUnhashableKeys(t *testing.T) {
	for _, key := range []any{
		new(pickle.List), new(pickle.Dict), new(pickle.OrderedDict), new(pickle.DefaultDict), new(pickle.Set),
		new(pickle.ByteArray), new(pickle.Message), pickle.Decimal("sNaN"),
		pickle.Tuple{new(pickle.List)},
		[]byte("a"),
		[]any{},
		map[string]any{},
		struct{}{},
	} {
		if err := new(pickle.Dict).Set(key, 1); err == nil {
			t.Errorf("Set takes a %T as a key", key)
		}
		if _, ok := new(pickle.Dict).Get(key); ok {
			t.Errorf("Get finds a %T in an empty dict", key)
		}
		if _, err := pickle.NewSet(key); err == nil {
			t.Errorf("NewSet takes a %T", key)
		}
	}
}

func TestDictKeepsOrder(t *testing.T) {
	d := new(pickle.Dict)
	for i := range 20 {
		mustSet(t, d, fmt.Sprint(i), i)
	}
	mustSet(t, d, "3", "again")
	if !d.Delete("0") || !d.Delete("10") || d.Delete("10") || d.Delete("no") {
		t.Error("Delete does not report what was there")
	}
	mustSet(t, d, "0", "last")
	want := `{"1":1,"2":2,"3":"again","4":4,"5":5,"6":6,"7":7,"8":8,"9":9,"11":11,"12":12,"13":13,"14":14,"15":15,` +
		`"16":16,"17":17,"18":18,"19":19,"0":"last"}`
	if got := show(t, d); got != want {
		t.Errorf("the dict is\n%s\nwant\n%s", got, want)
	}
	for i := range 20 {
		if _, ok := d.Get(fmt.Sprint(i)); ok != (i != 10) {
			t.Errorf("Get(%d) = %v", i, ok)
		}
	}
}

func TestSets(t *testing.T) {
	s, err := pickle.NewSet("a", int64(1), true)
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 2 || !s.Has(1.0) || s.Has("b") || !s.Remove("a") || s.Remove("a") || s.Add("c") != nil {
		t.Errorf("the set is %v", s)
	}
	if got, want := show(t, s), `{"$type":"set","items":["c",1]}`; got != want {
		t.Errorf("the set is %s, want %s", got, want)
	}
}

// A decoded value may be shared by all sockets of a user.
func TestReadersDoNotDisturbEachOther(t *testing.T) {
	d := decode(t, string(manyKeys(20))).(*pickle.Dict)
	mustSet(t, d, pickle.Tuple{"a", frozen(t, "b")}, "found")
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 100 {
				if v, _ := d.Get(pickle.Tuple{"a", frozen(t, "b")}); v != "found" {
					t.Errorf("Get = %v", v)
				}
				d.Get(pickle.Tuple{"not", "there"})
				_ = fmt.Sprint(d)
			}
		})
	}
	readers.Wait()
}
