package djangocompat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
)

// randomSessions makes sessions of whatever JSON can hold, as Python's json has it.
const randomSessions = `
import random, warnings
from django.conf import settings
settings.configure(SECRET_KEY="k", SESSION_SERIALIZER="django.contrib.sessions.serializers.%s")
import django
django.setup()
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.serializers import JSONSerializer

def text(r):
    return "".join(chr(r.choice([r.randrange(32, 127), r.randrange(0, 32), r.randrange(127, 0xd800), r.randrange(0xd800, 0xe000), r.randrange(0x10000, 0x110000)]))
                   for _ in range(r.randrange(12)))

def value(r, depth):
    k = r.randrange(10 if depth else 8)
    if k == 0: return None
    if k == 1: return r.random() < .5
    if k == 2: return r.randrange(-100, 100)
    if k == 3: return r.getrandbits(r.randrange(1, 200)) * r.choice([1, -1])
    if k == 4: return r.choice([1.0, -0.0, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), r.random(), r.uniform(-1e20, 1e20)])
    if k < 8: return text(r)
    if k == 8: return [value(r, depth - 1) for _ in range(r.randrange(5))]
    return {text(r): value(r, depth - 1) for _ in range(r.randrange(5))}

def session(seed):
    r = random.Random(seed)
    return {text(r): value(r, 4) for _ in range(r.randrange(8))}

store, asJSON = SessionStore(), JSONSerializer()
serializer = store.serializer()
made = {}

def write(seeds):
    made.clear()
    made.update((i, session(i)) for i in range(*seeds))
    return [{"data": store.encode(s), "text": asJSON.dumps(s).decode("latin-1")} for s in made.values()]

def compare(changed):
    wrong = []
    for (i, s), signed in zip(made.items(), changed):
        got, want = store.decode(signed), repr(serializer.loads(serializer.dumps(s)))
        if got.pop("touched by Go", None) != i or repr(got) != want:
            wrong.append([i, repr(got), want])
    return wrong
`

// TestT17RandomSessionsOfDjango is security row T17: what Django wrote and Go did not touch is written again byte by byte;
// where Go sets one key, Django reads the others as they were. Both serializers, so that security row T13 is met too.
func TestT17RandomSessionsOfDjango(t *testing.T) {
	for _, serializer := range []djangocompat.Serializer{djangocompat.JSONSerializer, djangocompat.PickleSerializer} {
		name := map[djangocompat.Serializer]string{djangocompat.JSONSerializer: "JSONSerializer", djangocompat.PickleSerializer: "PickleSerializer"}[serializer]
		t.Run(name, func(t *testing.T) {
			count, batch := chaos.Size(100_000, 2000), 2000
			d := startDjango(t, strings.Replace(randomSessions, "%s", name, 1))
			wrong := 0
			for i := 0; i < count && wrong == 0; i += batch {
				wrong += checkRandomSessions(t, serializer, d, i, i+batch)
			}
			chaos.Row(t, wrong == 0, "T17", fmt.Sprintf("%d sessions of Django's %s through Go", count, name),
				fmt.Sprintf("%d not the same bytes untouched, or otherwise than by the one key that Go has set", wrong), "0")
		})
	}
}

// checkRandomSessions reads the sessions of some seeds, and has Django read them changed. It returns how many are wrong.
func checkRandomSessions(t *testing.T, serializer djangocompat.Serializer, django *django, from, to int) int {
	t.Helper()
	var written []struct{ Data, Text string }
	django.ask("write", [2]int{from, to}, &written)
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), Serializer: serializer, AcceptSHA1: true}
	changed := make([]string, len(written))
	for i, w := range written {
		d, err := codec.Decode(w.Data)
		if err != nil {
			t.Fatalf("session %d: %v", from+i, err)
		}
		again, err := codec.DecodeBytes(w.Data)
		if err != nil {
			t.Fatal(err)
		}
		same, err := dumped(serializer, d)
		if err != nil || string(same) != string(again) {
			t.Fatalf("session %d, not touched: %q, %v, want %q", from+i, same, err, again)
		}
		if asJSON, err := djangocompat.JSONSerializer.Convert(d); err != nil || string(asJSON.JSON()) != w.Text {
			t.Fatalf("session %d: %s, %v, want %s", from+i, asJSON.JSON(), err, w.Text)
		}
		if changed[i], err = codec.Encode(with(t, d, "touched by Go", from+i)); err != nil {
			t.Fatal(err)
		}
	}
	var wrong []json.RawMessage
	django.ask("compare", changed, &wrong)
	for _, w := range wrong {
		t.Errorf("Django reads %s", w)
	}
	return len(wrong)
}

// dumped is what is signed of a session.
func dumped(serializer djangocompat.Serializer, d djangocompat.SessionData) ([]byte, error) {
	if serializer == djangocompat.PickleSerializer {
		return d.Pickle()
	}
	return d.JSON(), nil
}
