package djangocompat_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

// pickled makes session data of a value's pickle.
func pickled(tb testing.TB, v any) djangocompat.SessionData {
	tb.Helper()
	data, err := pickle.Encode(v)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := djangocompat.ParsePickledSession(data, 1<<20)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// dictOf makes a dict of keys and values.
func dictOf(tb testing.TB, pairs ...any) *pickle.Dict {
	tb.Helper()
	dict := new(pickle.Dict)
	for i := 0; i < len(pairs); i += 2 {
		if err := dict.Set(pairs[i], pairs[i+1]); err != nil {
			tb.Fatal(err)
		}
	}
	return dict
}

func TestPickledSessionValues(t *testing.T) {
	at := pickle.NewDateTime(time.Date(2024, 4, 5, 19, 34, 38, 0, time.UTC))
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	values := []any{
		nil, true, int64(7), huge, 1.5, complex(1, 2), "text", pickle.SafeString("<b>"), pickle.Bytes("\x00\xff"), at,
		pickle.Date{Year: 2024, Month: 2, Day: 29},
		pickle.TimeDelta{Days: 1},
		pickle.Decimal("1.10"),
		pickle.UUID{1, 2},
		pickle.NewList(int64(1), "a"),
		pickle.Tuple{int64(1)},
	}
	dict := new(pickle.Dict)
	for i, v := range values {
		if err := dict.Set(fmt.Sprint(i), v); err != nil {
			t.Fatal(err)
		}
	}
	d := pickled(t, dict)
	for i, want := range values {
		if got, ok := d.Get(fmt.Sprint(i)); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("value %d = %#v, %v, want %#v", i, got, ok, want)
		}
	}
	if d.Len() != len(values) || !d.IsPickled() || !d.Has("3") || d.Has("x") {
		t.Errorf("%d keys, pickled %v", d.Len(), d.IsPickled())
	}
	if v, ok := d.Get("x"); v != nil || ok {
		t.Errorf("Get of no key = %v, %v", v, ok)
	}
	if s, ok := d.GetString("7"); s != "<b>" || !ok {
		t.Errorf("GetString of a SafeString = %q, %v", s, ok)
	}
	if s, ok := d.GetString("2"); s != "" || ok {
		t.Errorf("GetString of an int = %q, %v", s, ok)
	}
	if raw, ok := d.RawJSON("12"); raw != `{"$type":"Decimal","value":"1.10"}` || !ok {
		t.Errorf("RawJSON of a Decimal = %s, %v", raw, ok)
	}
}

func TestPickledSessionIsNotChangedByItsReaders(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	d := pickled(t, dictOf(t, "list", pickle.NewList(int64(1)), "huge", huge, "dict", dictOf(t, "a", "b")))
	before := string(d.JSON())
	list, _ := d.Get("list")
	list.(*pickle.List).Items[0] = "changed"
	n, _ := d.Get("huge")
	n.(*big.Int).SetInt64(1)
	for _, v := range d.All() {
		if dict, ok := v.(*pickle.Dict); ok {
			dict.Delete("a")
		}
	}
	mine := pickle.NewList("mine")
	changed := with(t, d, "mine", mine)
	mine.Items[0] = "changed"
	if got := string(d.JSON()); got != before {
		t.Errorf("after its readers changed what they got: %s, want %s", got, before)
	}
	if raw, _ := changed.RawJSON("mine"); raw != `["mine"]` {
		t.Errorf("after its writer changed what was set: %s", raw)
	}
}

func TestPickledSessionIsReadByMany(t *testing.T) {
	d := pickled(t, dictOf(t, "list", pickle.NewList(dictOf(t, pickle.Tuple{"a"}, "b")), djangocompat.AuthUserIDKey, "7"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			list, _ := d.Get("list")
			list.(*pickle.List).Items[0].(*pickle.Dict).Delete(pickle.Tuple{"a"})
			if id, _ := d.GetString(djangocompat.AuthUserIDKey); id != "7" || len(d.JSON()) == 0 {
				t.Errorf("id = %q", id)
			}
			with(t, d, "x", "y")
		})
	}
	wg.Wait()
}

func TestPickledSessionKeepsReferences(t *testing.T) {
	shared := pickle.NewList("shared")
	d := pickled(t, dictOf(t, "a", shared, "b", dictOf(t, "inner", shared), "c", int64(1)))
	changed := with(t, d.Without("c"), "d", int64(2))
	data, err := changed.Pickle()
	if err != nil {
		t.Fatal(err)
	}
	v, err := pickle.Decode(data, pickle.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := v.(*pickle.Dict).Get("a")
	b, _ := v.(*pickle.Dict).Get("b")
	if inner, _ := b.(*pickle.Dict).Get("inner"); inner != a {
		t.Error("a list that was in two places is two lists")
	}
}

func TestPickledSessionKeepsKeysThatAreNoTexts(t *testing.T) {
	d := pickled(t, dictOf(t, int64(1), "one", pickle.Tuple{"t"}, "two", nil, "none", "text", "three"))
	changed := with(t, d, "text", "four").Without("1")
	if keys := slices.Collect(changed.Keys()); d.Len() != 4 || changed.Len() != 4 || !slices.Equal(keys, []string{"text"}) {
		t.Errorf("%d keys, the texts are %q, want 4 and one", changed.Len(), keys)
	}
	want := `{"$type":"dict","items":[[1,"one"],[{"$type":"tuple","items":["t"]},"two"],[null,"none"],["text","four"]]}`
	if got := string(changed.JSON()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPickledSessionRefuses(t *testing.T) {
	tests := []struct {
		name  string
		data  string
		limit int
		want  error
	}{
		{"nothing", "", 100, djangocompat.ErrMalformed},
		{"JSON", `{"a":1}`, 100, djangocompat.ErrMalformed},
		{"a list", "\x80\x04].", 100, djangocompat.ErrMalformed},
		{"None", "\x80\x04N.", 100, djangocompat.ErrMalformed},
		{"a text", "\x80\x04\x8c\x01a.", 100, djangocompat.ErrMalformed},
		{"a set", "\x80\x04\x8f.", 100, djangocompat.ErrMalformed},
		{"an object", "c__main__\nX\n)R.", 100, djangocompat.ErrMalformed},
		{"half a dict", "\x80\x04}\x8c\x01a", 100, djangocompat.ErrMalformed},
		{"more bytes than may be", "\x80\x04}.", 3, djangocompat.ErrTooLarge},
		{"anything where nothing may be", "\x80\x04}.", 0, djangocompat.ErrTooLarge},
		{"a length that is a lie", "\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", 100, djangocompat.ErrMalformed},
		{"a name to look up elsewhere", "\x80\x04\x8c\x01aQ.", 100, djangocompat.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := djangocompat.ParsePickledSession([]byte(tt.data), tt.limit)
			if !errors.Is(err, tt.want) || d.Len() != 0 || d.IsPickled() {
				t.Errorf("ParsePickledSession = %s, %v, want %v", d.JSON(), err, tt.want)
			}
		})
	}
	t.Run("the opcode is told", func(t *testing.T) {
		_, err := djangocompat.ParsePickledSession([]byte("\x80\x04\x8c\x01aQ."), 100)
		if e, ok := errors.AsType[*pickle.OpcodeError](err); !ok || e.Op != 'Q' || e.Offset != 5 {
			t.Errorf("%v, want an OpcodeError of Q at 5", err)
		}
	})
	t.Run("With takes what has a pickle", func(t *testing.T) {
		d := djangocompat.PickleSerializer.Empty()
		for _, v := range []any{make(chan int), struct{ A int }{1}, func() {}} {
			if changed, err := d.With("a", v); err == nil || changed.Len() != 0 {
				t.Errorf("With(%T) = %s, %v, want an error", v, changed.JSON(), err)
			}
		}
		for _, v := range []any{[]any{1, "a"}, map[string]any{"a": []byte("b")}, time.Now(), time.Minute, uint8(3)} {
			if _, err := d.With("a", v); err != nil {
				t.Errorf("With(%T): %v", v, err)
			}
		}
	})
}

func TestPickleOfJSONSession(t *testing.T) {
	const text = `{"z":[1,1.0,-0.0,1e+22,123456789012345678901234567890,NaN,-Infinity,"\u00e9\ud83d\ude00\ud800"],"a":{"2":null,"1":{"x":[]}},"":true}`
	d := parse(t, text)
	data, err := d.Pickle()
	if err != nil {
		t.Fatal(err)
	}
	p, err := djangocompat.ParsePickledSession(data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(p.Keys()); !slices.Equal(got, []string{"z", "a", ""}) {
		t.Errorf("keys %q", got)
	}
	back, err := djangocompat.JSONSerializer.Convert(p)
	if err != nil || string(back.JSON()) != text {
		t.Errorf("converted back: %s, %v, want %s", back.JSON(), err, text)
	}
	if empty, err := (djangocompat.SessionData{}).Pickle(); err != nil || string(empty) != "\x80\x04}\x94." {
		t.Errorf("the pickle of no session = %q, %v", empty, err)
	}
}

// TestConvertLikeDumps checks the values that json.dumps changes, and those that it refuses.
func TestConvertLikeDumps(t *testing.T) {
	recursive := pickle.NewList()
	recursive.Items = append(recursive.Items, recursive)
	deep := pickle.NewList()
	for range 2000 {
		deep = pickle.NewList(deep)
	}
	wide := pickle.NewList("laugh")
	for range 40 {
		wide = pickle.NewList(wide, wide)
	}
	set, err := pickle.NewSet("a")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		v    any
		want string // "" is an error
	}{
		{"a tuple is a list", pickle.Tuple{int64(1), pickle.Tuple{}}, `[1,[]]`},
		{"keys are texts", dictOf(t, int64(1), "a", 1.5, "b", true, "c", nil, "d"), `{"1":"c","1.5":"b","null":"d"}`},
		{"a text that is safe is a text", pickle.SafeString("<b>"), `"<b>"`},
		{"an ordered dict is a dict", new(pickle.OrderedDict), `{}`},
		{"an infinity", pickle.NewList(math.Inf(1)), `[Infinity]`},
		{"a set", set, ""},
		{"bytes", pickle.Bytes("a"), ""},
		{"a datetime", pickle.DateTime{Date: pickle.Date{Year: 1, Month: 1, Day: 1}}, ""},
		{"a key that is a tuple", dictOf(t, pickle.Tuple{"a"}, "b"), ""},
		{"a list in itself", recursive, ""},
		{"a deep list", deep, ""},
		{"a list that would not end", wide, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := pickled(t, dictOf(t, "v", tt.v))
			got, err := djangocompat.JSONSerializer.Convert(d)
			if tt.want == "" {
				if err == nil {
					t.Errorf("Convert = %.100s, want an error", got.JSON())
				}
				if _, err := (djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k")}).Encode(d); err == nil {
					t.Error("Encode = nil, want an error")
				}
				return
			}
			if want := `{"v":` + tt.want + `}`; err != nil || string(got.JSON()) != want {
				t.Errorf("Convert = %s, %v, want %s", got.JSON(), err, want)
			}
		})
	}
}

func TestSerializerOfADottedPath(t *testing.T) {
	for _, s := range []djangocompat.Serializer{djangocompat.JSONSerializer, djangocompat.PickleSerializer} {
		if got, err := djangocompat.ParseSerializer(s.String()); got != s || err != nil {
			t.Errorf("ParseSerializer(%q) = %v, %v", s, got, err)
		}
		if d := s.Empty(); d.Len() != 0 || d.IsPickled() != (s == djangocompat.PickleSerializer) || !d.Equal(djangocompat.SessionData{}) {
			t.Errorf("%s.Empty() = %s", s, d.JSON())
		}
	}
	for _, path := range []string{"", "mysite.serializers.DateJSONSerializer", "django.core.signing.JSONSerializer"} {
		if _, err := djangocompat.ParseSerializer(path); err == nil || !strings.Contains(err.Error(), `"`+path+`"`) {
			t.Errorf("ParseSerializer(%q) = %v, want an error that names it", path, err)
		}
	}
}

func TestSessionOfAPickledSite(t *testing.T) {
	b := newShelf()
	s := djangocompat.NewSession("", djangocompat.PickleSerializer.Empty(), b)
	at := pickle.NewDateTime(time.Unix(1712345678, 0))
	s.Set("at", at)
	s.Set("cart", pickle.NewList(int64(1)))
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, _ := b.stored[s.Key()].Get("at"); !reflect.DeepEqual(v, at) {
		t.Errorf("stored: %v, want %v", v, at)
	}
	t.Run("what is emptied remains a pickle", func(t *testing.T) {
		c := s.Clone()
		c.Clear()
		c.Set("at", at)
		if err := c.Save(t.Context()); err != nil || !c.Data().IsPickled() {
			t.Errorf("Save = %v, pickled %v", err, c.Data().IsPickled())
		}
	})
	t.Run("what others wrote meanwhile remains", func(t *testing.T) {
		d := pickled(t, dictOf(t, "mine", int64(1), "gone", int64(1), "theirs", pickle.NewList("old"), "same", pickle.NewList("same")))
		b := newShelf()
		s := djangocompat.NewSession("k", d, b)
		b.stored["k"] = with(t, with(t, with(t, d, "theirs", pickle.NewList("new")), "added", int64(3)), "mine", int64(9))
		s.Set("mine", int64(2))
		s.Delete("gone")
		if err := s.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := string(b.stored["k"].JSON()); got != `{"mine":2,"theirs":["new"],"same":["same"],"added":3}` {
			t.Errorf("stored: %s", got)
		}
	})
	t.Run("a serializer may change meanwhile", func(t *testing.T) {
		d := parse(t, `{"a":1,"b":[2]}`)
		s := djangocompat.NewSession("k", with(t, d, "a", 5), newShelf())
		s.Rebase(pickled(t, dictOf(t, "b", pickle.Tuple{"kept"})))
		if got := string(s.Data().JSON()); !s.Data().IsPickled() || !strings.Contains(got, `"kept"`) {
			t.Errorf("rebased: %s", got)
		}
	})
	t.Run("a date that is a datetime", func(t *testing.T) {
		now := time.Date(2024, 4, 5, 0, 0, 0, 0, time.UTC)
		settings := djangocompat.ExpirySettings{Now: func() time.Time { return now }}
		s := s.Clone()
		s.SetExpiryDate(now.Add(time.Hour))
		if v, _ := s.Get(djangocompat.ExpiryKey); reflect.TypeOf(v) != reflect.TypeFor[pickle.DateTime]() || s.ExpiryAge(settings) != time.Hour {
			t.Errorf("%T, %v, want a datetime in an hour", v, s.ExpiryAge(settings))
		}
		s.Set(djangocompat.ExpiryKey, pickle.DateTime{Date: pickle.Date{Year: 2024, Month: 4, Day: 5}, Time: pickle.Time{Hour: 2}})
		if got := s.ExpiryAge(settings); got != 2*time.Hour {
			t.Errorf("a naive datetime: %v, want 2h", got)
		}
	})
}

func TestPKFromPickledValues(t *testing.T) {
	id := pickle.UUID{1, 2, 3}
	if pk, err := djangocompat.PKFrom(djangocompat.PKUUID, id); err != nil || pk.String() != id.String() {
		t.Errorf("PKFrom(UUID) = %s, %v", pk, err)
	}
	if pk, err := djangocompat.PKFrom(djangocompat.PKInt, pickle.SafeString("7")); err != nil || pk != djangocompat.IntPK(7) {
		t.Errorf("PKFrom(SafeString) = %s, %v", pk, err)
	}
	for _, v := range []any{pickle.Bytes("7"), pickle.NewList(), pickle.Decimal("7"), id} {
		if pk, err := djangocompat.PKFrom(djangocompat.PKInt, v); err == nil {
			t.Errorf("PKFrom(%T) = %s, want an error", v, pk)
		}
	}
}
