package changes

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// looksPerProbe is how many looks are taken at a file in the time of a probe.
const looksPerProbe = 10

// reopenAfter is how often a file is opened anew, in looks: another one may have been put in its place.
const reopenAfter = 300

// SQLite makes a Listener that asks a file again and again whether anything in it was changed by others, on a
// connection of its own, which connect opens. It cannot know what has changed: it says that anything may have.
// SQLite: PRAGMA data_version.
func SQLite(connect func(ctx context.Context) (*sql.Conn, error), cfg Config) *Listener {
	return newListener(&sqlite{connect, cfg.withDefaults().ProbeInterval / looksPerProbe}, cfg)
}

// sqlite is a source that looks.
type sqlite struct {
	connect func(ctx context.Context) (*sql.Conn, error)
	every   time.Duration
}

// fatal implements source.
func (*sqlite) fatal(error) bool { return false }

// errReopen means that the file is to be opened anew.
var errReopen = errors.New("changes: the file is opened anew")

// listen implements source.
func (q *sqlite) listen(ctx context.Context, tell func(Change), heard func(saves bool)) error {
	for {
		if err := q.look(ctx, tell, heard); !errors.Is(err, errReopen) {
			return err
		}
	}
}

// look looks at the file for as long as one connection is kept.
func (q *sqlite) look(ctx context.Context, tell func(Change), heard func(saves bool)) error {
	conn, err := q.connect(ctx)
	if err != nil {
		return errors.New("changes: the file cannot be opened")
	}
	defer conn.Close()
	ticks := time.NewTicker(q.every)
	defer ticks.Stop()
	var before int64
	for i := range reopenAfter {
		var version int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
			return errors.New("changes: the file cannot be read")
		}
		if i > 0 && version != before {
			tell(Change{Kind: Anything})
		}
		before = version
		heard(true)
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tell(Change{Kind: Anything}) // what was written between two connections would not be seen
	return errReopen
}
