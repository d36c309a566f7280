package pglayer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
)

// An Inspector looks into the tables of channels_postgres, whoever uses them, and changes nothing.
type Inspector struct {
	config Config
	conn   *pgx.Conn
	schema string // quoted, with a period, or ""
}

// mostInspected is how many memberships an Inspector looks at.
const mostInspected = 1_000_000

// NewInspector connects to the database of a layer. The caller closes the Inspector.
func NewInspector(ctx context.Context, c Config) (*Inspector, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	conn, err := c.Database.Connect(limited)
	if err != nil {
		return nil, err
	}
	i := &Inspector{config: c, conn: conn}
	if c.Schema != "" {
		i.schema = pgx.Identifier{c.Schema}.Sanitize() + "."
	}
	return i, nil
}

// Close ends the connection.
func (i *Inspector) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = i.conn.Close(ctx) // there is nothing to lose
}

// member is a row of the table of members.
type member struct {
	Group   string
	Channel string
	Expired bool
}

// memberships returns the rows of the table of members.
func (i *Inspector) memberships(ctx context.Context) ([]member, error) {
	begin := i.config.Prefix + ":group:"
	return query[member](ctx, i, `SELECT DISTINCT substring(group_key FROM length($1) + 1), channel, $2 AND expire < now()
		FROM `+i.schema+`channels_postgres_groupchannel WHERE left(group_key, length($1)) = $1 LIMIT $3`,
		begin, i.config.GroupExpiry > 0, mostInspected)
}

// Groups returns the groups that have members, by name.
func (i *Inspector) Groups(ctx context.Context) ([]channellayer.GroupReport, error) {
	rows, err := i.memberships(ctx)
	if err != nil {
		return nil, err
	}
	groups := make(map[string]*channellayer.GroupReport)
	processes := make(map[[2]string]bool)
	for _, m := range rows {
		r := groups[m.Group]
		if r == nil {
			r = &channellayer.GroupReport{Group: m.Group}
			groups[m.Group] = r
		}
		r.Members++
		if m.Expired {
			r.Expired++
		}
		if process := [2]string{m.Group, channellayer.NonLocalName(m.Channel)}; !processes[process] {
			processes[process] = true
			r.Processes++
		}
	}
	reports := make([]channellayer.GroupReport, 0, len(groups))
	for _, r := range groups {
		reports = append(reports, *r)
	}
	slices.SortFunc(reports, func(a, b channellayer.GroupReport) int { return strings.Compare(a.Group, b.Group) })
	return reports, nil
}

// Inboxes returns where messages wait, the fullest first. Small ones that were heard stay in the table until they expire.
func (i *Inspector) Inboxes(ctx context.Context) ([]channellayer.InboxReport, error) {
	type inbox struct {
		Name     string
		Messages int
		Age      float64
	}
	rows, err := query[inbox](ctx, i, `SELECT split_part(channel, '!', 1) || CASE WHEN channel LIKE '%!%' THEN '!' ELSE '' END AS inbox,
			count(*)::int, greatest(0, extract(epoch FROM now() - min(expire) + $1::interval))::float8
		FROM `+i.schema+`channels_postgres_message WHERE expire > now() GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2`,
		i.config.Expiry, mostInspected)
	if err != nil {
		return nil, err
	}
	var reports []channellayer.InboxReport
	for _, r := range rows {
		reports = append(reports, channellayer.InboxReport{Inbox: r.Name, Messages: r.Messages, Age: r.Age})
	}
	return reports, nil
}

// Leaks returns the processes that are in groups and do not listen: whoever does holds a lock of the database. It need
// not wait.
func (i *Inspector) Leaks(ctx context.Context, _ time.Duration) ([]channellayer.LeakReport, error) {
	rows, err := i.memberships(ctx)
	if err != nil {
		return nil, err
	}
	nodes, receivers, err := i.locks(ctx)
	if err != nil {
		return nil, err
	}
	leaks := make(map[string]*channellayer.LeakReport)
	for _, m := range rows {
		id, node := nodeOf(m.Channel)
		reason := channellayer.LeakNoReader
		switch {
		case node && nodes[lockOf(id)], !node && receivers[receiverLock(m.Channel)]:
			continue
		case node:
			reason = channellayer.LeakDeadNode
		}
		process := channellayer.NonLocalName(m.Channel)
		l := leaks[process]
		if l == nil {
			l = &channellayer.LeakReport{Process: process, Reason: reason}
			leaks[process] = l
		}
		l.Members++
		if !slices.Contains(l.Groups, m.Group) {
			l.Groups = append(l.Groups, m.Group)
		}
	}
	reports := make([]channellayer.LeakReport, 0, len(leaks))
	for _, l := range leaks {
		slices.Sort(l.Groups)
		reports = append(reports, *l)
	}
	slices.SortFunc(reports, func(a, b channellayer.LeakReport) int { return strings.Compare(a.Process, b.Process) })
	return reports, nil
}

// locks returns the advisory locks of nodes that live, and those that receivers of channels_postgres hold.
func (i *Inspector) locks(ctx context.Context) (nodes map[int32]bool, receivers map[int64]bool, err error) {
	type lock struct {
		Class, Object int64
		Halves        int16 // 2 for one that was taken with two keys
	}
	held, err := query[lock](ctx, i, `SELECT classid::int8, objid::int8, objsubid FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err != nil {
		return nil, nil, err
	}
	nodes, receivers = make(map[int32]bool), make(map[int64]bool)
	for _, l := range held {
		switch {
		case l.Halves == 2 && l.Class == lockClass:
			nodes[int32(uint32(l.Object))] = true
		case l.Halves == 1:
			receivers[int64(uint64(l.Class)<<32|uint64(l.Object))] = true
		}
	}
	return nodes, receivers, nil
}

// query returns the rows of a query.
func query[T any](ctx context.Context, i *Inspector, sql string, args ...any) ([]T, error) {
	limited, cancel := context.WithTimeout(ctx, i.config.Timeout)
	defer cancel()
	rows, err := i.conn.Query(limited, sql, args...)
	if err != nil {
		return nil, unavailable(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, unavailable(err)
	}
	return list, nil
}
