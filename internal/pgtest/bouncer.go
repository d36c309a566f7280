package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/parts"
)

// A PoolMode says when pgbouncer takes a server's connection back from a client.
type PoolMode string

// The modes, as pgbouncer calls them.
const (
	SessionPooling     PoolMode = "session"
	TransactionPooling PoolMode = "transaction"
	StatementPooling   PoolMode = "statement"
)

// bouncerPatience is how long pgbouncer may take until it answers.
const bouncerPatience = 30 * time.Second

// Bouncer starts a pgbouncer in front of the cluster of d and returns the URL of d through it. Two connections to
// the cluster serve all clients, so that what a client leaves behind in one is soon seen by another. It lets in nobody
// but the role of [Restricted], whose URL it is. Without pgbouncer it skips the test, or fails it in CI.
func Bouncer(t testing.TB, d *Database, mode PoolMode) string {
	t.Helper()
	u, err := url.Parse(Restricted(t, d.URL()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := startBouncer(t.Context(), d.cluster, mode, u)
	parts.Need(t, "pgbouncer", err)
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	return b.url.String()
}

type bouncer struct {
	dir     string
	url     *url.URL
	process *parts.Process
}

// startBouncer starts one that lets the user of a database's URL in.
func startBouncer(ctx context.Context, c *Cluster, mode PoolMode, database *url.URL) (*bouncer, error) {
	program, err := findBouncer()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(c.dir, "bouncer-")
	if err != nil {
		return nil, fmt.Errorf("make folder for pgbouncer: %w", err)
	}
	b := &bouncer{dir: dir, url: database}
	for range portTries {
		if err = b.start(ctx, c, program, mode); err == nil {
			return b, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// findBouncer looks on PATH and where Debian puts it, which is not on everybody's PATH.
func findBouncer() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("%w: pgbouncer (Debian's package pgbouncer)", parts.ErrMissing)
}

// start starts pgbouncer on a port that was free a moment before, and returns when it answers.
func (b *bouncer) start(ctx context.Context, c *Cluster, program string, mode PoolMode) error {
	port, err := parts.FreePort()
	if err != nil {
		return err
	}
	b.url.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	password, _ := b.url.User.Password()
	users := filepath.Join(b.dir, "users.txt")
	ini := filepath.Join(b.dir, "pgbouncer.ini")
	if err := c.account.Give(b.dir); err != nil {
		return fmt.Errorf("configure pgbouncer: %w", err)
	}
	if err := c.writeFile(users, fmt.Sprintf("%q %q\n", b.url.User.Username(), password)); err != nil {
		return fmt.Errorf("configure pgbouncer: %w", err)
	}
	if err := c.writeFile(ini, bouncerConfig(c.port, port, mode, users)); err != nil {
		return fmt.Errorf("configure pgbouncer: %w", err)
	}
	log, err := os.Create(filepath.Join(b.dir, "log"))
	if err != nil {
		return fmt.Errorf("start pgbouncer: %w", err)
	}
	defer log.Close() // pgbouncer has its own
	cmd := exec.Command(program, ini)
	cmd.Dir = b.dir
	cmd.Stdout, cmd.Stderr = log, log
	if b.process, err = parts.Start(c.account, cmd); err != nil {
		return err
	}
	if err := b.wait(ctx, b.url.String()); err != nil {
		said, readErr := os.ReadFile(log.Name())
		return fmt.Errorf("start pgbouncer: %w\n%s", errors.Join(err, readErr, b.process.Kill()), said)
	}
	return nil
}

func bouncerConfig(serverPort, port int, mode PoolMode, users string) string {
	return fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = %s
default_pool_size = 2
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
`, serverPort, port, users, mode)
}

// wait returns when a query goes through, or pgbouncer has ended.
func (b *bouncer) wait(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, bouncerPatience)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-b.process.Ended():
			return errors.New("it ended")
		case <-ctx.Done():
			return err
		case <-retry.C:
		}
	}
}

func (b *bouncer) close() error {
	return errors.Join(b.process.Kill(), os.RemoveAll(b.dir)) // it has nothing to save
}
