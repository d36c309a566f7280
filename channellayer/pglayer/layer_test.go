package pglayer_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/layertest"
	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site returns a database with the tables of channels_postgres.
func site(t testing.TB) *pgtest.Database {
	t.Helper()
	d := pgtest.Open(t)
	install(t, d.URL())
	return d
}

func install(t testing.TB, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	for _, s := range migrations.Sets() {
		must(t, migrations.Up(t.Context(), conn, s))
	}
	must(t, conn.Close(t.Context()))
}

// role returns the URL of a database for the role of docs/operations.md, which our layers have.
func role(t testing.TB, d *pgtest.Database) string {
	t.Helper()
	return pgtest.Restricted(t, d.URL())
}

// at is a Config for a database.
func at(url string) pglayer.Config {
	return pglayer.Config{Database: pglayer.Database{URL: djangocompat.NewSecret(url)}, ConnectTimeout: 10 * time.Second}
}

// open opens a layer, which ends with the test.
func open(t testing.TB, c pglayer.Config) *pglayer.Layer {
	t.Helper()
	l, err := pglayer.New(t.Context(), c)
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// advance lets real time pass, which Postgres's clock needs.
func advance(d time.Duration) { <-time.After(d) }

// suite opens the layer of the suite's subtests, each in a database that is empty again.
func suite(d *pgtest.Database, adjust func(*pglayer.Config)) layertest.Open {
	return func(t *testing.T, s layertest.Setup) layertest.Bus {
		d.Exec(t, "TRUNCATE channels_postgres_message, channels_postgres_groupchannel")
		bus := layertest.Bus{Advance: advance, Unkept: map[string]string{
			"group names of 99 characters are taken": "the column of channels_postgres has room for 89 of them",
		}}
		bus.Poison = func(t *testing.T, channel string, message []byte) {
			if message == nil {
				message = []byte{}
			}
			d.Exec(t, "INSERT INTO channels_postgres_message (channel, message, expire) VALUES ($1, $2, now() + interval '1 minute')", channel, message)
		}
		for range s.Nodes {
			c := at(role(t, d))
			c.Capacity, c.ChannelCapacity, c.Expiry, c.GroupExpiry = s.Capacity, s.Capacities, s.Expiry, s.GroupExpiry
			if adjust != nil {
				adjust(&c)
			}
			bus.Nodes = append(bus.Nodes, open(t, c))
		}
		return bus
	}
}

func TestLayer(t *testing.T) {
	t.Parallel() // it waits most of the time
	layertest.Run(t, suite(site(t), nil))
}

func TestLayerEncrypted(t *testing.T) {
	t.Parallel() // it waits most of the time
	layertest.Run(t, suite(site(t), func(c *pglayer.Config) { c.SymmetricEncryptionKeys = []string{"new", "old"} }))
}

// next returns the next event of a queue.
func next(t testing.TB, q *channellayer.Queue) channellayer.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e, err := q.Next(ctx)
	if err != nil {
		t.Fatalf("no event: %v", err)
	}
	return e
}

// said is an event with a number.
func said(n int) channellayer.Event { return channellayer.Event{"type": "said", "n": int64(n)} }

// channel opens a channel, in groups.
func channel(t testing.TB, l *pglayer.Layer, groups ...string) (string, *channellayer.Queue) {
	t.Helper()
	q := channellayer.NewQueue()
	name, err := l.NewChannel(t.Context(), q)
	must(t, err)
	for _, group := range groups {
		must(t, l.GroupAdd(t.Context(), group, name))
	}
	return name, q
}
