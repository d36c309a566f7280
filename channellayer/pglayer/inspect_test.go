package pglayer_test

import (
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/pglayer"
)

// TestInspector looks at a Belleville that lives, one that has ended, and two channels of Django's, one of which is
// received from.
func TestInspector(t *testing.T) {
	d := site(t)
	c := at(role(t, d))
	ours := open(t, c)
	for range 3 {
		name, err := ours.NewChannel(t.Context(), channellayer.NewQueue())
		must(t, err)
		must(t, ours.GroupAdd(t.Context(), "room", name))
	}
	const heard = "specific.1a2b3!00000000000000000000000000000001"
	d.Exec(t, `INSERT INTO channels_postgres_groupchannel (group_key, channel, expire) VALUES
		('asgi:group:room', '`+heard+`', now()), ('asgi:group:room', 'specific.dead0!1', now()),
		('asgi:group:attic', 'specific.bv.000000.0123456789abcdef!g.attic', now()), ('other:group:room', 'x', now())`)
	d.Exec(t, `INSERT INTO channels_postgres_message (channel, message, expire) VALUES
		('specific.dead0!1', 'x', now() + '50 seconds'), ('specific.dead0!2', 'x', now() + '60 seconds'),
		('specific.dead0!3', 'x', now() - interval '1 second')`)
	reader, err := pgx.Connect(t.Context(), d.URL())
	must(t, err)
	t.Cleanup(func() { _ = reader.Close(t.Context()) }) // with the lock
	_, err = reader.Exec(t.Context(), "SELECT pg_advisory_lock(7857328182576371514)")
	must(t, err)

	i, err := pglayer.NewInspector(t.Context(), c)
	must(t, err)
	t.Cleanup(i.Close)
	groups, err := i.Groups(t.Context())
	must(t, err)
	if want := []channellayer.GroupReport{
		{Group: "attic", Members: 1, Processes: 1}, {Group: "room", Members: 3, Processes: 3},
	}; !reflect.DeepEqual(groups, want) {
		t.Errorf("Groups: got %+v, want %+v", groups, want)
	}
	inboxes, err := i.Inboxes(t.Context())
	must(t, err)
	var dead []channellayer.InboxReport
	for _, r := range inboxes {
		if r.Inbox == "specific.dead0!" { // others are canaries
			dead = append(dead, r)
		}
	}
	if len(dead) != 1 || dead[0].Messages != 2 || dead[0].Age < 10 || dead[0].Age > 40 {
		t.Errorf("Inboxes: got %+v, want two messages, the oldest ten seconds old", inboxes)
	}
	leaks, err := i.Leaks(t.Context(), 0)
	must(t, err)
	if want := []channellayer.LeakReport{
		{Process: "specific.bv.000000.0123456789abcdef!", Groups: []string{"attic"}, Members: 1, Reason: channellayer.LeakDeadNode},
		{Process: "specific.dead0!", Groups: []string{"room"}, Members: 1, Reason: channellayer.LeakNoReader},
	}; !reflect.DeepEqual(leaks, want) {
		t.Errorf("Leaks: got %+v, want %+v", leaks, want)
	}
}
