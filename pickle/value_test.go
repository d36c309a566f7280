package pickle_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/pickle"
)

// vectorValue decodes what one vector has under key.
func vectorValue(t *testing.T, name, key string) any {
	t.Helper()
	for _, v := range loadVectors(t, "core", "common", "opaque") {
		if v.Name == name {
			got, _ := decode(t, string(v.pickle)).(*pickle.Dict).Get(key)
			return got
		}
	}
	t.Fatalf("no vector %s", name)
	return nil
}

func TestOpaqueObjectsCanBeInspected(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"the state of an object", shown(vectorValue(t, "plain_object/p4", "o"), (*pickle.Object).State), `{"a":1,"b":[2,{"c":3}]}`},
		{"of protocol 0", shown(vectorValue(t, "plain_object/p0", "o"), (*pickle.Object).State), `{"a":1,"b":[2,{"c":3}]}`},
		{"an attribute in a slot", shown(vectorValue(t, "slots_object/p4", "o"), func(o *pickle.Object) any {
			v, _ := o.Attr("p")
			return v
		}), "1"},
		{
			"the fields of a named tuple", shown(vectorValue(t, "namedtuple/p4", "p"), func(o *pickle.Object) any { return o.Args() }),
			`{"$type":"tuple","items":[1,"amber velvet"]}`,
		},
		{"the items of a list", shown(vectorValue(t, "subclasses/p4", "l"), func(o *pickle.Object) any { return o.Items() }), "[1,2]"},
		{"the entries of a dict", shown(vectorValue(t, "subclasses/p4", "d"), func(o *pickle.Object) any {
			return pickle.Tuple{o.Entries()[0].Key, o.Entries()[0].Value}
		}), `{"$type":"tuple","items":["a",1]}`},
		{"the model of an instance", shown(vectorValue(t, "model_instance_group/p4 @3.2", "g"), func(o *pickle.Object) any {
			name, _ := o.Attr("name")
			return name
		}), `"ember"`},
		{"the member of an enum", shown(vectorValue(t, "enums/p2", "e"), func(o *pickle.Object) any { return o.Args()[1] }), `"RED"`},
		{"what it would call", shown(vectorValue(t, "enums/p2", "e"), (*pickle.Object).Callable), `{"$type":"opaque","class":"builtins.getattr"}`},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s is %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func shown(v any, of func(*pickle.Object) any) string {
	o, ok := v.(*pickle.Object)
	if !ok {
		return fmt.Sprintf("a %T", v)
	}
	return pickle.Sprint(of(o))
}

func TestMessages(t *testing.T) {
	messages := vectorValue(t, "messages_objects/p4", "m").(*pickle.List)
	m, ok := messages.Items[0].(*pickle.Message)
	if !ok || m.Level != 25 || m.Message != "Saved amber velvet" || m.ExtraTags != "x" {
		t.Errorf("the first message is %#v", messages.Items[0])
	}
	if m := messages.Items[1].(*pickle.Message); m.Message != pickle.SafeString("<i>no</i>") || m.ExtraTags != nil {
		t.Errorf("the second message is %q, %v", m.Message, m.ExtraTags)
	}
}

func TestLazyStrings(t *testing.T) {
	translation := func(name string) pickle.Class { return pickle.Class{Module: "django.utils.translation", Name: name} }
	named, err := pickle.NewDict(pickle.Entry{Key: "singular", Value: "%d item"}, pickle.Entry{Key: "plural", Value: "%d items"},
		pickle.Entry{Key: "number", Value: int64(3)})
	if err != nil {
		t.Fatal(err)
	}
	one := vectorValue(t, "lazy_string/p2", "l").(*pickle.LazyString)
	tests := []struct {
		name string
		lazy *pickle.LazyString
		want string
	}{
		{"as Django pickles it", one, "Welcome velvet harbor"},
		{"with context", &pickle.LazyString{Func: translation("pgettext"), Args: pickle.Tuple{"month", "May"}}, "May"},
		{"one", &pickle.LazyString{Func: translation("ngettext"), Args: pickle.Tuple{"%d item", "%d items", int64(1)}}, "%d item"},
		{"many, by name", &pickle.LazyString{Func: translation("ngettext"), Kwargs: named}, "%d items"},
		{"many with context", &pickle.LazyString{Func: translation("npgettext"), Args: pickle.Tuple{"c", "a", "b", int64(2)}}, "b"},
		{"safe text", &pickle.LazyString{Func: translation("gettext"), Args: pickle.Tuple{pickle.SafeString("<b>")}}, "<b>"},
		{"another function", &pickle.LazyString{Func: pickle.Class{Module: "django.urls", Name: "reverse"}, Args: pickle.Tuple{"home"}}, ""},
	}
	for _, tt := range tests {
		if got, ok := tt.lazy.Text(); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: Text() = %q, %v, want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestGoTime(t *testing.T) {
	at := func(month, hour, fold int, zone pickle.Zone) pickle.DateTime {
		return pickle.DateTime{Date: pickle.Date{Year: 2024, Month: month, Day: 27}, Time: pickle.Time{Hour: hour, Minute: 30, Fold: fold, Zone: zone}}
	}
	paris := pickle.ZoneInfo{Key: "Europe/Paris"}
	inTokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	inGap := at(3, 2, 0, paris)
	inGap.Day = 31
	inGapLate := at(3, 2, 1, paris)
	inGapLate.Day = 31
	tests := []struct {
		name string
		dt   pickle.DateTime
		want string // in UTC
	}{
		{"UTC", at(1, 12, 0, pickle.UTC{}), "2024-01-27T12:30:00Z"},
		{"a fixed offset", at(1, 12, 0, pickle.FixedZone{Offset: -3 * time.Hour}), "2024-01-27T15:30:00Z"},
		{"naive, in the zone of the caller", at(1, 12, 0, nil), "2024-01-27T03:30:00Z"},
		{"winter", at(1, 12, 0, paris), "2024-01-27T11:30:00Z"},
		{"summer", at(7, 12, 0, paris), "2024-07-27T10:30:00Z"},
		{"the first of two equal times", at(10, 2, 0, paris), "2024-10-27T00:30:00Z"},
		{"the second of two equal times", at(10, 2, 1, paris), "2024-10-27T01:30:00Z"},
		{"a time that there is not, before", inGap, "2024-03-31T01:30:00Z"},
		{"a time that there is not, after", inGapLate, "2024-03-31T00:30:00Z"},
		{"pytz with its offset", at(1, 12, 0, pickle.PytzZone{Zone: "Europe/Paris", Varies: true, Offset: 3600}), "2024-01-27T11:30:00Z"},
		{"pytz by name", at(1, 12, 0, pickle.PytzZone{Zone: "Etc/GMT+5"}), "2024-01-27T17:30:00Z"},
		{"pytz fixed", at(1, 12, 0, pickle.PytzFixed{Minutes: 90}), "2024-01-27T11:00:00Z"},
	}
	for _, tt := range tests {
		got, err := tt.dt.GoTime(inTokyo)
		if err != nil || got.UTC().Format(time.RFC3339) != tt.want {
			t.Errorf("%s: GoTime = %v, %v, want %s", tt.name, got.UTC(), err, tt.want)
		}
	}
	for _, zone := range []pickle.Zone{pickle.ZoneInfo{Key: "Nowhere/Else"}, pickle.ZoneInfo{Key: "../../etc/passwd"}, new(pickle.Object)} {
		if got, err := at(1, 1, 0, zone).GoTime(time.UTC); err == nil {
			t.Errorf("GoTime in %v = %v", zone, got)
		}
	}
}

func TestTimeDelta(t *testing.T) {
	tests := []struct {
		name        string
		d, s, micro int
		want        pickle.TimeDelta
		ok          bool
		duration    time.Duration
		fits        bool
	}{
		{"normal", 1, 2, 3, pickle.TimeDelta{Days: 1, Seconds: 2, Microseconds: 3}, true, 24*time.Hour + 2*time.Second + 3*time.Microsecond, true},
		{"a microsecond less", 0, 0, -1, pickle.TimeDelta{Days: -1, Seconds: 86399, Microseconds: 999999}, true, -time.Microsecond, true},
		{"seconds of more than a day", 0, 200000, 0, pickle.TimeDelta{Days: 2, Seconds: 27200}, true, 200000 * time.Second, true},
		{"more than Go holds", 999999999, 0, 0, pickle.TimeDelta{Days: 999999999}, true, 0, false},
		{"more than Python holds", 999999999, 86400, 0, pickle.TimeDelta{Days: 1000000000}, false, 0, false},
	}
	for _, tt := range tests {
		got, ok := pickle.NewTimeDelta(tt.d, tt.s, tt.micro)
		if got != tt.want || ok != tt.ok {
			t.Errorf("%s: NewTimeDelta = %+v, %v, want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
		if d, fits := got.Duration(); d != tt.duration || fits != tt.fits {
			t.Errorf("%s: Duration = %v, %v, want %v, %v", tt.name, d, fits, tt.duration, tt.fits)
		}
	}
}

func TestEncodeTakesValuesOfGo(t *testing.T) {
	cycle := []any{nil}
	cycle[0] = cycle
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"integers", []any{int(1), int8(-2), uint16(3), uint64(1 << 63), int32(-1 << 31)}, `[1,-2,3,{"$type":"int","value":"9223372036854775808"},-2147483648]`},
		{"float32", float32(0.5), "0.5"},
		{"a big.Int that is small", big.NewInt(7), "7"},
		{"bytes", []byte("hi"), `{"$type":"bytes","b64":"aGk="}`},
		{"a map, sorted", map[string]any{"b": 1, "a": map[string]any{}}, `{"a":{},"b":1}`},
		{
			"a time", time.Date(2024, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600)),
			`{"$type":"datetime","value":"2024-01-02T03:04:05.000006+01:00","tz":{"kind":"fixed","offset_seconds":3600.0}}`,
		},
		{
			"an offset that has fractions of a second",
			pickle.FixedZone{Offset: 15_387_683 * time.Microsecond},
			`{"$type":"tzinfo","tz":{"kind":"fixed","offset_seconds":15.387683}}`,
		},
		{"a time in UTC", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), `{"$type":"datetime","value":"2024-01-02T03:04:05+00:00","tz":{"kind":"utc"}}`},
		{"a duration", -time.Second, `{"$type":"timedelta","days":-1,"seconds":86399,"microseconds":0}`},
		{"a slice in itself", cycle, `[{"$type":"recursive"}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(t, decodeAgain(t, tt.v)); got != tt.want {
				t.Errorf("written and read it is %s, want %s", got, tt.want)
			}
			if got := show(t, tt.v); got != tt.want {
				t.Errorf("AppendJSON shows %s, want %s", got, tt.want)
			}
		})
	}
	loop := pickle.Tuple{nil}
	loop[0] = loop
	for name, v := range map[string]any{
		"a function": func() {}, "a struct": struct{}{}, "a nil Object": (*pickle.Object)(nil), "an Object of one's own": new(pickle.Object),
		"a string that is no UTF-8": "\xff", "a nil big.Int": (*big.Int)(nil), "a tuple in itself": loop, "a nil list": (*pickle.List)(nil),
	} {
		t.Run(name, func(t *testing.T) {
			if data, err := pickle.Encode([]any{v}); err == nil {
				t.Errorf("Encode writes %q", data)
			}
		})
	}
}

func TestPrintingIsBounded(t *testing.T) {
	self := new(pickle.List)
	self.Items = []any{self, pickle.Tuple{self}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		want := `[{"$type":"recursive"},{"$type":"tuple","items":[{"$type":"recursive"}]}]`
		if got := fmt.Sprintf(verb, self); got != want {
			t.Errorf("%s prints %s, want %s", verb, got, want)
		}
	}
	long := pickle.NewList(strings.Repeat("x", 1<<20))
	if got := fmt.Sprint(long); len(got) > 5000 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long list prints %d bytes, ending with %q", len(got), got[len(got)-5:])
	}
	if got, err := json.Marshal(map[string]any{"v": self}); err != nil || !strings.Contains(string(got), "recursive") {
		t.Errorf("json.Marshal = %s, %v", got, err)
	}
	if _, err := pickle.AppendJSON(nil, long, 1000); !errors.Is(err, pickle.ErrLimit) {
		t.Errorf("AppendJSON beyond its bound = %v, want ErrLimit", err)
	}
}
