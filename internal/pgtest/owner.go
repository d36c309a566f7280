package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// program is the application_name of Belleville's own connections, but for those of belleville migrate.
const program = "belleville"

// refuseOwner fails the test where Belleville has connected as the superuser to a database, or to any where database
// is "": its tests have the role of docs/operations.md, see [Restricted]. A test of what a superuser is told makes
// another one.
func (c *Cluster) refuseOwner(t testing.TB, database string) {
	t.Helper()
	times, err := c.ownerConnections(database)
	if err != nil {
		t.Error(err)
	}
	if times > 0 {
		t.Errorf("Belleville connected %d times as the superuser to a database; use the URL of pgtest.Restricted", times)
	}
}

// ownerConnections counts what the log says of such connections.
func (c *Cluster) ownerConnections(database string) (int, error) {
	log, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return 0, fmt.Errorf("read the log of the cluster: %w", err)
	}
	times := 0
	for line := range bytes.Lines(log) {
		_, said, ok := strings.Cut(string(line), "connection authorized: ")
		if !ok {
			continue
		}
		words := strings.Fields(said)
		if slices.Contains(words, "user="+superuser) && slices.Contains(words, "application_name="+program) &&
			(database == "" || slices.Contains(words, "database="+database)) {
			times++
		}
	}
	return times, nil
}

// dropRole removes the role of a database that is gone.
func (c *Cluster) dropRole(ctx context.Context, database string) error {
	if err := c.maintain(ctx, "DROP ROLE IF EXISTS "+pgx.Identifier{roleOf(database)}.Sanitize()); err != nil {
		return fmt.Errorf("drop role: %w", err)
	}
	return nil
}
