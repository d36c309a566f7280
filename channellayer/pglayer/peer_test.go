package pglayer_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

// python is Debian's, which has Debian's psycopg2.
const python = "/usr/bin/python3"

// peer is a process that does to the tables what a Django site does.
type peer struct {
	*testing.T
	orders  *json.Encoder
	answers *bufio.Scanner
}

// startPeer starts a Python process. Without its parts it skips the test, or fails it in CI.
func startPeer(t *testing.T, url string, keys []string) *peer {
	t.Helper()
	if err := exec.Command(python, "-c", "import psycopg2, msgpack, cryptography").Run(); err != nil {
		parts.Need(t, "psycopg2", fmt.Errorf("%w: psycopg2, msgpack, cryptography for %s (Debian's packages python3-psycopg2, python3-msgpack, python3-cryptography)", parts.ErrMissing, python))
	}
	return startProgram(t, exec.Command(python, "testdata/peer.py", url, encryptionKeys(t, keys)))
}

// startChannelsPostgres starts a Python process that has channels_postgres itself. Debian has no package of it: the
// folders in which it is, with a Django and a psycopg that it works with, are named by the environment.
func startChannelsPostgres(t *testing.T, url string, keys []string) *peer {
	t.Helper()
	folders := os.Getenv("CHANNELS_POSTGRES_PATH")
	if folders == "" {
		t.Skip("CHANNELS_POSTGRES_PATH names no folders with channels_postgres, which Debian lacks: docs/layers.md")
	}
	cmd := exec.Command(python, "testdata/channelspostgres.py", url, encryptionKeys(t, keys))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+folders)
	return startProgram(t, cmd)
}

func encryptionKeys(t *testing.T, keys []string) string {
	t.Helper()
	text, err := json.Marshal(keys)
	must(t, err)
	return string(text)
}

// startProgram starts a Python process that obeys orders.
func startProgram(t *testing.T, cmd *exec.Cmd) *peer {
	t.Helper()
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	process, err := parts.Start(parts.Account{}, cmd)
	must(t, err)
	t.Cleanup(func() {
		_ = process.Kill() // a test may have made it fail
	})
	answers := bufio.NewScanner(stdout)
	answers.Buffer(nil, 8<<20)
	return &peer{T: t, orders: json.NewEncoder(stdin), answers: answers}
}

// do has the peer call one of its methods. A message is a Python literal and becomes the second argument.
func (p *peer) do(answer any, message, call string, args ...any) {
	p.Helper()
	if args == nil {
		args = []any{}
	}
	if err := p.orders.Encode(map[string]any{"call": call, "args": args, "message": message}); err != nil {
		p.Fatal(err)
	}
	if !p.answers.Scan() {
		p.Fatalf("the Python process ended at %s: %v", call, p.answers.Err())
	}
	if answer == nil {
		var failed struct{ Error string }
		if json.Unmarshal(p.answers.Bytes(), &failed) == nil && failed.Error != "" {
			p.Fatalf("%s: %s", call, failed.Error)
		}
		return
	}
	if err := json.Unmarshal(p.answers.Bytes(), answer); err != nil {
		p.Fatal(err)
	}
}

// channel makes a channel of the peer's.
func (p *peer) channel() (name string) {
	p.Helper()
	p.do(&name, "", "new_channel")
	return name
}

// receives has the peer wait for a message.
func (p *peer) receives(channel, wanted string) {
	p.Helper()
	var answer struct {
		Equal, Nothing, Locked bool
		Got                    string
	}
	p.do(&answer, wanted, "receive", channel, 20)
	if !answer.Equal {
		p.Errorf("Python received %+v, want %s", answer, wanted[:min(len(wanted), 200)])
	}
}

// want wants just this event next.
func want(t testing.TB, q *channellayer.Queue, e channellayer.Event) {
	t.Helper()
	if got := next(t, q); !reflect.DeepEqual(got, e) {
		t.Errorf("got event %.300v, want %.300v", got, e)
	}
}

// startPython starts a process that stands for a Django site.
type startPython func(t *testing.T, url string, keys []string) *peer

// both runs a test with each of them.
func both(t *testing.T, name string, run func(*testing.T, startPython)) {
	t.Run(name+", statements as channels_postgres does them", func(t *testing.T) { run(t, startPeer) })
	t.Run(name+", channels_postgres itself", func(t *testing.T) { run(t, startChannelsPostgres) })
}

// refuses has the peer do what must fail, and returns the error.
func (p *peer) refuses(message, call string, args ...any) string {
	p.Helper()
	var answer struct{ Error string }
	p.do(&answer, message, call, args...)
	return answer.Error
}

// everyValue is a message with all that msgpack and Python share, as Python writes it, and what it is here.
const everyValue = `{'type': 'chat.message', 'text': 'héllo 🎸', 'n': 42, 'neg': -7, 'big': 2199023255552, 'min': -9223372036854775808,
	'f': 1.5, 'whole': 1000.0, 'b': b'\x00\xff', 'none': None, 't': True, 'l': [1, 'a', [b'']], 'd': {'k': 'v', 'ünïcode': {}}}`

func everyValueHere() channellayer.Event {
	return channellayer.Event{
		"type": "chat.message", "text": "héllo 🎸", "n": int64(42), "neg": int64(-7), "big": int64(1 << 41), "min": int64(math.MinInt64),
		"f": 1.5, "whole": 1000.0, "b": []byte{0, 255}, "none": nil, "t": true,
		"l": []any{int64(1), "a", []any{[]byte{}}}, "d": map[string]any{"k": "v", "ünïcode": map[string]any{}},
	}
}

func TestWithPython(t *testing.T) {
	tests := []struct {
		name         string
		ours, theirs []string
	}{
		{"not encrypted", nil, nil},
		{"encrypted", []string{"a key"}, []string{"a key"}},
		{"Django has the new key first", []string{"old", "new"}, []string{"new", "old"}},
		{"we have the new key first", []string{"new", "old"}, []string{"old", "new"}},
	}
	d := site(t)
	for _, tt := range tests {
		both(t, tt.name, func(t *testing.T, start startPython) {
			c := at(role(t, d))
			c.SymmetricEncryptionKeys = tt.ours
			ours, theirs := open(t, c), start(t, d.URL(), tt.theirs)
			t.Run("Django sends to a group of ours", func(t *testing.T) { groupFromPython(t, ours, theirs) })
			t.Run("Django sends to a channel of ours", func(t *testing.T) {
				name, q := channel(t, ours)
				theirs.do(nil, everyValue, "send", name)
				want(t, q, everyValueHere())
			})
			t.Run("we send to a group of Django's", func(t *testing.T) {
				first, second := theirs.channel(), theirs.channel()
				theirs.do(nil, "", "group_add", "theirs", first)
				theirs.do(nil, "", "group_add", "theirs", first) // as it happens
				theirs.do(nil, "", "group_add", "theirs", second)
				must(t, ours.GroupSend(t.Context(), "theirs", everyValueHere()))
				theirs.receives(first, everyValue)
			})
			t.Run("we send to a channel of Django's", func(t *testing.T) {
				name := theirs.channel()
				must(t, ours.Send(t.Context(), name, everyValueHere()))
				theirs.receives(name, everyValue)
			})
			t.Run("Django adds and discards a channel of ours", func(t *testing.T) { addedByPython(t, ours, theirs) })
			t.Run("large messages", func(t *testing.T) { largeMessages(t, ours, theirs) })
		})
	}
}

func groupFromPython(t *testing.T, ours *pglayer.Layer, theirs *peer) {
	_, first := channel(t, ours, "room")
	_, second := channel(t, ours, "room")
	var members []string
	theirs.do(&members, "", "members", "room")
	if len(members) != 1 {
		t.Errorf("the group has the members %q in Postgres, want one for the process", members)
	}
	theirs.do(nil, everyValue, "group_send", "room")
	want(t, first, everyValueHere())
	want(t, second, everyValueHere())
	long := strings.Repeat("g", 89)
	_, q := channel(t, ours, long)
	theirs.do(nil, everyValue, "group_send", long)
	want(t, q, everyValueHere())
}

func addedByPython(t *testing.T, ours *pglayer.Layer, theirs *peer) {
	name, q := channel(t, ours)
	theirs.do(nil, "", "group_add", "mixed", name)
	must(t, ours.GroupSend(t.Context(), "mixed", said(1)))
	theirs.do(nil, `{'type': 'said', 'n': 2}`, "group_send", "mixed")
	want(t, q, said(1))
	want(t, q, said(2))
	theirs.do(nil, "", "group_discard", "mixed", name)
	must(t, ours.GroupSend(t.Context(), "mixed", said(3)))
	theirs.do(nil, `{'type': 'said', 'n': 4}`, "send", name)
	want(t, q, said(4))
}

func largeMessages(t *testing.T, ours *pglayer.Layer, theirs *peer) {
	name, q := channel(t, ours, "large")
	there := theirs.channel()
	for _, size := range []int{5_000, 5_880, 8_000, 70_000, 1 << 20} {
		text := strings.Repeat("x", size)
		e := channellayer.Event{"type": "large", "text": text}
		literal := `{'type': 'large', 'text': '` + text + `'}`
		theirs.do(nil, literal, "send", name)
		want(t, q, e)
		theirs.do(nil, literal, "group_send", "large")
		want(t, q, e)
		must(t, ours.Send(t.Context(), there, e))
		theirs.receives(there, literal)
	}
}

// TestNamesWithPython checks which names of groups Django takes: no others are taken here.
func TestNamesWithPython(t *testing.T) {
	d := site(t)
	both(t, "of the longest name", func(t *testing.T, start startPython) {
		ours, theirs := open(t, at(role(t, d))), start(t, d.URL(), nil)
		there := theirs.channel()
		fits, tooLong := strings.Repeat("g", 89), strings.Repeat("g", 90)
		_, q := channel(t, ours, fits)
		theirs.do(nil, everyValue, "group_send", fits)
		want(t, q, everyValueHere())
		theirs.do(nil, "", "group_add", fits, there)
		must(t, ours.GroupSend(t.Context(), fits, everyValueHere()))
		want(t, q, everyValueHere())
		theirs.receives(there, everyValue)
		if said := theirs.refuses("", "group_add", tooLong, there); !strings.HasPrefix(said, "StringDataRightTruncation") {
			t.Errorf("Django takes a group's name of 90 characters: %q", said)
		}
		if err := ours.GroupSend(t.Context(), tooLong, said(1)); !errors.Is(err, channellayer.ErrInvalidName) {
			t.Errorf("GroupSend to a name of 90 characters = %v, want %v", err, channellayer.ErrInvalidName)
		}
		plain := strings.Repeat("c", channellayer.MaxName)
		must(t, ours.Send(t.Context(), plain, everyValueHere()))
		theirs.receives(plain, everyValue)
	})
}

// TestTablesOfDjango works on tables that the migrations of channels_postgres have made.
func TestTablesOfDjango(t *testing.T) {
	d := pgtest.Open(t)
	theirs := startChannelsPostgres(t, d.URL(), nil)
	theirs.do(nil, "", "migrate")
	ours := open(t, at(role(t, d)))
	groupFromPython(t, ours, theirs)
	there := theirs.channel()
	must(t, ours.Send(t.Context(), there, everyValueHere()))
	theirs.receives(there, everyValue)
	conn, err := pgx.Connect(t.Context(), d.URL())
	must(t, err)
	defer func() { must(t, conn.Close(context.Background())) }()
	for _, s := range migrations.Sets() {
		if s.Name != "channels_postgres" {
			continue
		}
		if err := migrations.Up(t.Context(), conn, s); err == nil {
			t.Errorf("belleville migrate up %s takes over what Django has made", s.Name)
		}
	}
}
