package sessionstore_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/pickle"
	"github.com/belleville/belleville/sessionstore"
)

// djangoSite is a real Django on a database of its own, asked by commands. The URL is that of Belleville's role.
type djangoSite struct {
	project *djangotest.Project
	url     string
}

// onDjango runs a test beside a real Django on each database.
func onDjango(t *testing.T, cfg djangotest.Config, test func(*testing.T, djangoSite)) {
	t.Helper()
	cfg.SecretKey = secretKey
	for name, url := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3") },
		"PostgreSQL": func(t *testing.T) string { return pgtest.Open(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			site := djangoSite{url: url(t)}
			var err error
			site.project, err = djangotest.NewProject(t.Context(), site.url, cfg)
			parts.Need(t, "Django", err)
			if _, err := site.project.Manage(t.Context(), "migrate", "--verbosity=0"); err != nil {
				t.Fatal(err)
			}
			site.url = pgtest.Restricted(t, site.url)
			test(t, site)
		})
	}
}

// shell runs Python code in the site and returns what it printed.
func (d djangoSite) shell(t *testing.T, code string) string {
	t.Helper()
	out, err := d.project.Shell(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// djangoValues is a Python prelude: the values that a site of each serializer keeps, and the session store.
const djangoValues = `
import collections, datetime, decimal, uuid, json
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import MessageEncoder
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth.models import Group
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

plain = {
    "text": "Zoë 😀 \ud800 \x00", "int": -7, "big": 10**30, "float": 1.0, "none": None, "bools": [True, False],
    "nested": {"z": [1, {"a": []}], "a": ""}, "$type": "a key like any other",
    "_messages": json.dumps([Message(20, mark_safe("<b>saved</b>"), "fresh"), Message(40, "oh")], cls=MessageEncoder),
}
shared = ["shared"]
python = dict(plain,
    naive=datetime.datetime(2024, 2, 29, 12, 30, 15, 7),
    aware=datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc),
    fixed=datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    date=datetime.date(1999, 12, 31), time=datetime.time(23, 59, 1), delta=datetime.timedelta(-1, 2, 3),
    decimal=decimal.Decimal("1.10"), id=uuid.UUID("12345678-1234-5678-1234-567812345678"),
    set={"a", "b"}, frozen=frozenset([1]), bytes=b"\x00\xff", tuple=(1, (2,)), complex=1+2j,
    ordered=collections.OrderedDict([("b", 1), ("a", 2)]), default=collections.defaultdict(list, {"x": [1]}),
    safe=mark_safe("<i>"), lazy=gettext_lazy("Monday"), messages=[Message(20, "saved")],
    keys={1: "one", (2, 3): "two", None: "none"}, one=shared, two=[shared], group=Group(id=7, name="editors"),
)
def same(a, b):
    if type(a).__name__ != type(b).__name__:
        return False
    if isinstance(a, float) and a != a:
        return b != b
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return str(a) == str(b) if "proxy" in type(a).__name__ else a == b
def want(got, expected):
    for k in expected:
        assert k in got, k
        assert same(got[k], expected[k]), (k, got[k], expected[k])
    assert set(got) == set(expected), set(got) ^ set(expected)
`

// TestSessionsOfDjangosSerializers exchanges sessions with a real Django, in both directions, value by value.
func TestSessionsOfDjangosSerializers(t *testing.T) {
	for _, s := range []struct {
		serializer djangocompat.Serializer
		values     string // what Python puts into a session
		fromGo     map[string]any
		inPython   string // the same
	}{
		{
			djangocompat.JSONSerializer, "plain",
			map[string]any{"go": []any{int64(1), 1.0, nil, "Ünï\U0001F600"}, "dict": map[string]any{"a": true}},
			`{"go": [1, 1.0, None, "Ünï😀"], "dict": {"a": True}}`,
		},
		{
			djangocompat.PickleSerializer, "python",
			map[string]any{
				"go": pickle.NewList(int64(1), 1.0, nil, "Ünï\U0001F600"), "tuple": pickle.Tuple{"changed"},
				"at": time.Date(2024, 4, 5, 19, 34, 38, 0, time.UTC), "id2": pickle.UUID{0x12, 0x34}, "price": pickle.Decimal("9.90"),
				"raw": []byte("\x00\xff"), "wait": time.Minute, "dict": map[string]any{"a": true},
			},
			`{"go": [1, 1.0, None, "Ünï😀"], "tuple": ("changed",), "at": datetime.datetime(2024, 4, 5, 19, 34, 38, tzinfo=datetime.timezone.utc),
			 "id2": uuid.UUID("12340000-0000-0000-0000-000000000000"), "price": decimal.Decimal("9.90"), "raw": b"\x00\xff",
			 "wait": datetime.timedelta(minutes=1), "dict": {"a": True}}`,
		},
	} {
		t.Run(s.serializer.String(), func(t *testing.T) {
			onDjango(t, djangotest.Config{Serializer: s.serializer.String()}, func(t *testing.T, site djangoSite) {
				store := open(t, sessionstore.Config{
					DatabaseURL: djangocompat.NewSecret(site.url), Keys: djangocompat.NewKeys(secretKey), SessionSerializer: s.serializer,
				})
				key := site.shell(t, djangoValues+"s = SessionStore(); s.update("+s.values+"); s.create(); print(s.session_key)")
				session := load(t, store, key)
				if session.Data().IsPickled() != (s.serializer == djangocompat.PickleSerializer) {
					t.Fatalf("session of Django: %s", session.Data().JSON())
				}
				checkDjangosValues(t, session)

				t.Run("Django reads what Go changed", func(t *testing.T) {
					for key, v := range s.fromGo {
						session.Set(key, v)
					}
					session.Delete("int")
					if err := session.Save(t.Context()); err != nil {
						t.Fatal(err)
					}
					site.shell(t, djangoValues+`
expected = dict(`+s.values+`, **`+s.inPython+`)
del expected["int"]
s = SessionStore("`+key+`")
got = {k: s[k] for k in s.keys()}
want(got, expected)
assert "one" not in got or got["one"] is got["two"][0]
`)
				})
				t.Run("Django reads what Go made", func(t *testing.T) {
					made := load(t, store, "")
					for key, v := range s.fromGo {
						made.Set(key, v)
					}
					made.SetExpiryAge(time.Hour)
					if err := made.Save(t.Context()); err != nil {
						t.Fatal(err)
					}
					site.shell(t, djangoValues+`
s = SessionStore("`+made.Key()+`")
assert s.get_expiry_age() == 3600
want({k: s[k] for k in s.keys()}, dict(`+s.inPython+`, _session_expiry=3600))
s["django"] = "was here"; s.save()
`)
					if again := load(t, store, made.Key()); wantString(again, "django") != "was here" || again.Len() != len(s.fromGo)+2 {
						t.Errorf("after Django changed it: %s", again.Data().JSON())
					}
				})
				t.Run("both change it at the same time", func(t *testing.T) {
					session := load(t, store, key)
					site.shell(t, djangoValues+`s = SessionStore("`+key+`"); s["theirs"] = [1]; s.save()`)
					session.Set("ours", int64(1))
					if err := session.Save(t.Context()); err != nil {
						t.Fatal(err)
					}
					site.shell(t, djangoValues+`s = SessionStore("`+key+`"); assert s["theirs"] == [1] and s["ours"] == 1 and s["text"] == plain["text"]`)
				})
			})
		})
	}
}

func wantString(s *djangocompat.Session, key string) string {
	text, _ := s.GetString(key)
	return text
}

// checkDjangosValues compares the values that Python calls plain, and those of a pickle, with Go's.
func checkDjangosValues(t *testing.T, session *djangocompat.Session) {
	t.Helper()
	raw := map[string]string{
		"int": `-7`, "float": `1.0`, "none": `null`, "bools": `[true,false]`, "nested": `{"z":[1,{"a":[]}],"a":""}`, "$type": `"a key like any other"`,
	}
	if session.Data().IsPickled() {
		maps.Copy(raw, map[string]string{
			"naive": `{"$type":"datetime","value":"2024-02-29T12:30:15.000007","tz":null}`, "decimal": `{"$type":"Decimal","value":"1.10"}`,
			"aware": `{"$type":"datetime","value":"2024-02-29T12:30:00+00:00","tz":{"kind":"utc"}}`,
			"date":  `{"$type":"date","value":"1999-12-31"}`, "delta": `{"$type":"timedelta","days":-1,"seconds":2,"microseconds":3}`,
			"id": `{"$type":"UUID","value":"12345678-1234-5678-1234-567812345678"}`, "set": `{"$type":"set","items":["a","b"]}`,
			"bytes": `{"$type":"bytes","b64":"AP8="}`, "tuple": `{"$type":"tuple","items":[1,{"$type":"tuple","items":[2]}]}`,
			"ordered": `{"$type":"OrderedDict","items":[["b",1],["a",2]]}`, "safe": `{"$type":"SafeString","value":"<i>"}`,
			"group": `{"$type":"opaque","class":"django.db.models.base.model_unpickle"}`,
		})
		if v, _ := session.Get("aware"); !reflect.DeepEqual(v, pickle.NewDateTime(time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC))) {
			t.Errorf("aware = %v", v)
		}
		if list, _ := session.Get("messages"); list.(*pickle.List).Items[0].(*pickle.Message).Level != 20 {
			t.Errorf("messages = %v", list)
		}
	}
	for key, want := range raw {
		got, ok := session.Data().RawJSON(key)
		var a, b any
		if !ok || json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
	if big, _ := session.Get("big"); fmt.Sprint(big) != "1000000000000000000000000000000" {
		t.Errorf("big = %v", big)
	}
	if text := wantString(session, "text"); text != "Zoë \U0001F600 \xed\xa0\x80 \x00" {
		t.Errorf("text = %q", text)
	}
}
