package migrations_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

func connect(t testing.TB, d *pgtest.Database) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// inventory lists everything that is in the database's own schema.
const inventory = `SELECT coalesce(string_agg(what, ' ' ORDER BY what), '') FROM (
	SELECT relname::text AS what FROM pg_class WHERE relnamespace = 'public'::regnamespace
	UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
	UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal) w`

func status(t testing.TB, conn *pgx.Conn, s migrations.Set) migrations.State {
	t.Helper()
	state, err := migrations.Status(t.Context(), conn, s)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestUpAndDown(t *testing.T) {
	d := pgtest.Open(t)
	pgtest.Schema(t, d, pgtest.Django52)
	conn := connect(t, d)
	before := d.Value(t, inventory)
	for range 2 { // everything may be done again
		for _, s := range migrations.Sets() {
			if got := status(t, conn, s); got != migrations.Absent {
				t.Errorf("%s before: %s, want absent", s.Name, got)
			}
			for range 2 {
				if err := migrations.Up(t.Context(), conn, s); err != nil {
					t.Fatal(err)
				}
				if got := status(t, conn, s); got != migrations.Present {
					t.Errorf("%s after Up: %s, want present", s.Name, got)
				}
			}
		}
		sets := migrations.Sets()
		for i := len(sets) - 1; i >= 0; i-- {
			for range 2 {
				if err := migrations.Down(t.Context(), conn, sets[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if after := d.Value(t, inventory); after != before {
			t.Errorf("after Down there is %v, want what was before: %v", after, before)
		}
	}
}

func TestNotOurs(t *testing.T) {
	layer, indexes := migrations.Sets()[0], migrations.Sets()[1]
	tests := []struct {
		name   string
		before string
		set    migrations.Set
		state  migrations.State
		up     string
		down   string // "" where it succeeds
	}{
		{
			"a set that a Django app has made is left alone",
			"CREATE TABLE django_migrations (app text); INSERT INTO django_migrations VALUES ('channels_postgres'); CREATE TABLE channels_postgres_message (id int)",
			layer, migrations.Django, "django_migrations", "django_migrations",
		},
		{
			"a table that somebody else has made is left alone", "CREATE TABLE channels_postgres_message (id int)",
			layer, migrations.Foreign, "table channels_postgres_message is there", "table channels_postgres_message is there",
		},
		{"an index needs its table", "", indexes, migrations.Absent, "table channels_postgres_groupchannel is not there", ""},
		{"a site whose migrations do not name the app may have the set", "CREATE TABLE django_migrations (app text)", layer, migrations.Absent, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := pgtest.Open(t)
			if tt.before != "" {
				d.Exec(t, tt.before)
			}
			conn := connect(t, d)
			before := d.Value(t, inventory)
			if got := status(t, conn, tt.set); got != tt.state {
				t.Errorf("Status() = %s, want %s", got, tt.state)
			}
			up := migrations.Up(t.Context(), conn, tt.set)
			if tt.up == "" && up != nil || tt.up != "" && (up == nil || !strings.Contains(up.Error(), tt.up)) {
				t.Errorf("Up() = %v, want an error with %q", up, tt.up)
			}
			down := migrations.Down(t.Context(), conn, tt.set)
			if tt.down == "" && down != nil || tt.down != "" && (down == nil || !strings.Contains(down.Error(), tt.down)) {
				t.Errorf("Down() = %v, want an error with %q", down, tt.down)
			}
			if after := d.Value(t, inventory); after != before {
				t.Errorf("there is %v, want what was before: %v", after, before)
			}
		})
	}
}

func TestPartial(t *testing.T) {
	d := pgtest.Open(t)
	conn := connect(t, d)
	s := migrations.Sets()[0]
	if err := migrations.Up(t.Context(), conn, s); err != nil {
		t.Fatal(err)
	}
	d.Exec(t, "DROP TABLE channels_postgres_groupchannel")
	if got := status(t, conn, s); got != migrations.Partial {
		t.Errorf("Status() = %s, want partial", got)
	}
	if err := migrations.Up(t.Context(), conn, s); err != nil || status(t, conn, s) != migrations.Present {
		t.Errorf("Up() = %v, and then %s, want present", err, status(t, conn, s))
	}
}

func TestTogether(t *testing.T) {
	d := pgtest.Open(t)
	ends := make(chan error)
	for range 4 {
		conn := connect(t, d)
		go func() { ends <- migrations.Up(t.Context(), conn, migrations.Sets()[0]) }()
	}
	for range 4 {
		if err := <-ends; err != nil {
			t.Errorf("one of several at once: %v", err)
		}
	}
}

// TestTrigger checks what wire.md has of the trigger of the Django app.
func TestTrigger(t *testing.T) {
	d := pgtest.Open(t)
	conn := connect(t, d)
	if err := migrations.Up(t.Context(), conn, migrations.Sets()[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "LISTEN channels_postgres_messages"); err != nil {
		t.Fatal(err)
	}
	const channel = "specific.1a2b3!00000000000000000000000000000001"
	tests := []struct {
		name  string
		size  int
		lines int // -1 where the row is only named
	}{
		{"a short message goes along", 30, 0},
		{"base64 has lines of 76 characters", 60, 1},
		{"a long message is named", 6000, -1},
		{"a message of a megabyte is named", 1 << 20, -1},
	}
	for i, tt := range tests {
		if _, err := conn.Exec(t.Context(), "INSERT INTO channels_postgres_message (channel, message, expire) VALUES ($1, $2, to_timestamp(1795357182.109173))",
			channel, make([]byte, tt.size)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		n, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begin := fmt.Sprintf("%d:%s", i+1, channel)
		if tt.lines < 0 && n.Payload != begin {
			t.Errorf("%s: notification of %d bytes, want %q", tt.name, len(n.Payload), begin)
		}
		if tt.lines >= 0 && (!strings.HasPrefix(n.Payload, begin+":") || !strings.HasSuffix(n.Payload, ":1795357182.109173") || strings.Count(n.Payload, "\n") != tt.lines) {
			t.Errorf("%s: notification %q, want id:channel:base64:epoch with %d line breaks", tt.name, n.Payload, tt.lines)
		}
	}
	for size := 5800; size < 5950; size++ { // at no size does it fail
		if _, err := conn.Exec(t.Context(), "INSERT INTO channels_postgres_message (channel, message, expire) VALUES ($1, $2, now())", channel, make([]byte, size)); err != nil {
			t.Fatalf("a message of %d bytes: %v", size, err)
		}
	}
}

func TestFind(t *testing.T) {
	if s, err := migrations.Find("channels_postgres_index"); err != nil || s.Name != "channels_postgres_index" || s.About == "" {
		t.Errorf("Find() = %+v, %v, want the set", s, err)
	}
	if _, err := migrations.Find("nothing"); err == nil || !strings.Contains(err.Error(), "channels_postgres_index") {
		t.Errorf("Find() = %v, want an error that names the sets", err)
	}
}

func ExampleSet_UpSQL() {
	s, err := migrations.Find("channels_postgres_index")
	if err != nil {
		fmt.Println(err)
		return
	}
	first, _, _ := strings.Cut(s.UpSQL(), ";")
	fmt.Println(first)
	// Output: CREATE INDEX IF NOT EXISTS belleville_groupchannel_group ON channels_postgres_groupchannel (group_key, channel)
}
