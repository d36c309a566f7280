package sessionstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/sessionstore"
)

// logsOut is a Django that logs out of the sessions whose keys it reads.
const logsOut = `
import sys, django
django.setup()
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
print("ready", flush=True)
for line in sys.stdin:
    request = HttpRequest()
    request.session = SessionStore(line.strip())
    logout(request)
    print("out", flush=True)`

// keepsWriting is a Django that loads a session, sets keys of its own and saves it, so many times.
const keepsWriting = `
import sys, django
django.setup()
from django.contrib.sessions.backends.db import SessionStore
print("ready", flush=True)
for line in sys.stdin:
    key, name, rounds = line.split()
    for i in range(int(rounds)):
        session = SessionStore(key)
        session[name] = i
        session["%s.%d" % (name, i % 20)] = i
        session.pop("%s.%d" % (name, (i + 10) % 20), None)
        session.save()
    print("done", flush=True)`

// besideDjangos has some Djangos run a script on the database of b.
func besideDjangos(t *testing.T, b *bed, n int, script string) []*django {
	t.Helper()
	project, err := djangotest.NewProject(t.Context(), b.owner, djangotest.Config{SecretKey: secretKey})
	parts.Need(t, "Django", err)
	djangos := make([]*django, n)
	for i := range djangos {
		djangos[i] = keepRunning(t, project, script)
	}
	for _, d := range djangos {
		if err := d.answer("ready"); err != nil {
			t.Fatal(err)
		}
	}
	return djangos
}

// answer waits for a line.
func (d *django) answer(want string) error {
	if !d.out.Scan() || d.out.Text() != want {
		return fmt.Errorf("Django answers %q, %v, want %s", d.out.Text(), d.out.Err(), want)
	}
	return nil
}

// TestT04NoSessionComesBack is security row T04: Django logs out of a session while Go saves it, and the row stays away.
func TestT04NoSessionComesBack(t *testing.T) {
	b := postgresBed(t)
	djangos := besideDjangos(t, b, 2, logsOut)
	s := open(t, b.config())
	count := chaos.Size(10_000, 200)
	var all sync.WaitGroup
	var mu sync.Mutex // guards met
	met := make(map[string]int)
	for i, d := range djangos {
		all.Go(func() {
			r := rand.New(rand.NewPCG(4, uint64(i)))
			for range count / len(djangos) {
				how, err := saveDuringLogout(t, s, d, time.Duration(r.IntN(4000))*time.Microsecond)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				met[how]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	rows := b.count(t)
	chaos.Row(t, rows == 0 && met["before"]+met["after"] == count, "T04", fmt.Sprintf("%d sessions that Django logs out of while Go saves them", count),
		fmt.Sprintf("%d rows came back; %d saves were before the logout, %d were refused since the session was gone", rows, met["before"], met["after"]), "0 rows")
	if min(met["before"], met["after"]) < count/20 {
		t.Errorf("saves before and after the logout: %v; that proves little", met)
	}
}

// saveDuringLogout makes a session, has Django log out of it, and saves it a moment later. It says whether the save was
// before the logout or after it.
func saveDuringLogout(t *testing.T, s *sessionstore.Store, d *django, later time.Duration) (how string, err error) {
	session, err := s.Load(t.Context(), "")
	if err != nil {
		return "", err
	}
	session.Set("a", int64(1))
	if err := session.Save(t.Context()); err != nil {
		return "", err
	}
	late, err := s.Load(t.Context(), session.Key())
	if err != nil {
		return "", err
	}
	late.Set("a", int64(2))
	if _, err := fmt.Fprintln(d.in, session.Key()); err != nil {
		return "", err
	}
	<-time.After(later)
	err = late.Save(t.Context())
	if out := d.answer("out"); out != nil {
		return "", out
	}
	if errors.Is(err, djangocompat.ErrSessionGone) {
		return "after", nil
	}
	return "before", err
}

// keepHistory makes PostgreSQL remember who changed a session, and how.
const keepHistory = `
CREATE TABLE history (who text, old text, new text);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
	INSERT INTO history VALUES (current_setting('application_name'), OLD.session_data, NEW.session_data);
	RETURN NULL;
END $$;
CREATE TRIGGER remember AFTER UPDATE ON django_session FOR EACH ROW EXECUTE FUNCTION remember();`

// TestT05NothingOfDjangosIsLost is security row T05: two Djangos and two writers in Go change one session at the same time.
// Django writes the whole session, and so loses what others wrote meanwhile. Go does not: PostgreSQL remembers each change.
func TestT05NothingOfDjangosIsLost(t *testing.T) {
	b := postgresBed(t)
	b.exec(t, keepHistory)
	djangos := besideDjangos(t, b, 2, keepsWriting)
	s := open(t, b.config())
	key := saved(t, s, "begun", true).Key()
	rounds := chaos.Size(5000, 100)
	var all sync.WaitGroup
	for i, d := range djangos {
		all.Go(func() {
			if _, err := fmt.Fprintf(d.in, "%s django%d %d\n", key, i, rounds); err != nil {
				t.Error(err)
			} else if err := d.answer("done"); err != nil {
				t.Error(err)
			}
		})
	}
	var conflicts [2]int
	for i := range conflicts {
		all.Go(func() {
			for n := range rounds {
				gaveUp, err := writeFromGo(t, s, key, i, n)
				if err != nil {
					t.Error(err)
					return
				}
				conflicts[i] += gaveUp
			}
		})
	}
	all.Wait()
	h := readHistory(t, b)
	chaos.Row(t, h.lost == 0 && h.byGo == 2*rounds && h.byDjango == 2*rounds, "T05", fmt.Sprintf("%d saves of one session by two writers in Go, at the same time as %d by two Djangos", h.byGo, h.byDjango),
		fmt.Sprintf("%d of Django's keys lost or changed by Go, whose saves gave up %d times and were repeated; Django took %d of Go's away", h.lost, conflicts[0]+conflicts[1], h.lostByDjango), "0 of Django's keys")
	if h.lostByDjango == 0 && chaos.Full() {
		t.Error("Django took nothing away: so nothing happened at the same time, and this proves nothing")
	}
}

// writeFromGo loads a session, sets a key and saves it, however often that takes. It returns how often the save gave up.
func writeFromGo(t *testing.T, s *sessionstore.Store, key string, writer, n int) (gaveUp int, err error) {
	session, err := s.Load(t.Context(), key)
	if err != nil {
		return 0, err
	}
	session.Set(fmt.Sprintf("go%d.%d", writer, n%20), int64(n))
	for err = session.Save(t.Context()); errors.Is(err, sessionstore.ErrConflict); err = session.Save(t.Context()) {
		gaveUp++
	}
	return gaveUp, err
}

// history is who changed a session, and what was lost.
type history struct{ byGo, byDjango, lost, lostByDjango int }

// readHistory reads what keepHistory has remembered.
func readHistory(t *testing.T, b *bed) (h history) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), b.owner)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), "SELECT who, old, new FROM history")
	if err != nil {
		t.Fatal(err)
	}
	var who, before, after string
	_, err = pgx.ForEachRow(rows, []any{&who, &before, &after}, func() error {
		if who == "belleville" {
			h.byGo++
			h.lost += changedKeys(t, before, after, "django")
		} else {
			h.byDjango++
			h.lostByDjango += changedKeys(t, before, after, "go")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// changedKeys counts the keys that begin with a prefix and are not the same in two texts of a session.
func changedKeys(t *testing.T, before, after, prefix string) (n int) {
	t.Helper()
	var values [2]map[string]string
	for i, text := range []string{before, after} {
		data, err := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(secretKey), AcceptSHA1: true}.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		values[i] = make(map[string]string)
		for key := range data.Keys() {
			if strings.HasPrefix(key, prefix) {
				values[i][key], _ = data.RawJSON(key)
			}
		}
	}
	for key, value := range values[0] {
		if values[1][key] != value {
			n++
		}
	}
	for key := range values[1] {
		if _, ok := values[0][key]; !ok {
			n++
		}
	}
	return n
}
