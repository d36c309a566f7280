// Package pgtest gives tests a real PostgreSQL: a private cluster in a temporary folder, and fresh databases in it.
//
// Start with [Open]. Tests of what happens while the database is away take a cluster of their own, with
// [OpenCluster]; [Bouncer] puts pgbouncer in front, and [Schema] makes Django's tables. [NewCluster] is for programs
// that are no tests.
//
// It never touches a server that it did not start. A cluster ends with the process that started it, also when that
// is killed.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/parts"
)

const (
	systemUser  = "postgres" // runs PostgreSQL where this process is root, whom it refuses
	superuser   = "belleville"
	maintenance = "postgres" // the database that every cluster has
	portTries   = 5          // somebody may take the port that was free a moment before
)

// settings trade durability, which a test does not need, for speed. The log tells who connects: see refuseOwner.
const settings = `
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 32MB
fsync = off
full_page_writes = off
log_connections = on
`

// cleanUp is what the guard does when this process has ended and left the cluster in the folder "$1" behind;
// "$2" is pg_ctl.
const cleanUp = `"$2" stop --pgdata="$1/data" --mode=immediate; rm -rf "$1"`

// A Cluster is a PostgreSQL server of its own, on a free port of 127.0.0.1 and a unix socket. Its methods may be
// called concurrently, but for Start, Stop and Close.
type Cluster struct {
	programs programs
	account  parts.Account
	guard    *parts.Guard
	dir      string
	password string
	port     int
}

// NewCluster makes a cluster in a new temporary folder and starts it. The caller ends it with Close.
func NewCluster(ctx context.Context) (*Cluster, error) {
	found, err := findPrograms(ctx)
	if err != nil {
		return nil, err
	}
	account, err := parts.Unprivileged(systemUser)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, fmt.Errorf("make folder for cluster: %w", err)
	}
	c := &Cluster{programs: found, account: account, dir: dir, password: rand.Text()}
	if c.guard, err = parts.NewGuard(account, cleanUp, dir, found.pgCtl); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.create(ctx); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	if err := c.startSomewhere(ctx); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// create fills the folder.
func (c *Cluster) create(ctx context.Context) error {
	if err := c.account.Give(c.dir); err != nil {
		return fmt.Errorf("create cluster: %w", err)
	}
	secret := filepath.Join(c.dir, "password")
	if err := c.writeFile(secret, c.password); err != nil {
		return fmt.Errorf("create cluster: %w", err)
	}
	err := c.run(ctx, c.programs.initdb, "--pgdata="+c.data(), "--username="+superuser, "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return fmt.Errorf("create cluster: %w", err)
	}
	own := settings + "unix_socket_directories = '" + strings.ReplaceAll(c.dir, "'", "''") + "'\n"
	if err := c.writeFile(filepath.Join(c.data(), "postgresql.auto.conf"), own); err != nil {
		return fmt.Errorf("create cluster: %w", err)
	}
	return nil
}

// startSomewhere starts the cluster for the first time and thereby settles its port.
func (c *Cluster) startSomewhere(ctx context.Context) error {
	var err error
	for range portTries {
		if c.port, err = parts.FreePort(); err != nil {
			return err
		}
		if err = c.Start(ctx); err == nil || !strings.Contains(err.Error(), "could not bind") {
			return err
		}
	}
	return err
}

// Start starts the cluster again after Stop, on the same port, and returns when it answers.
func (c *Cluster) Start(ctx context.Context) error {
	log := filepath.Join(c.dir, "log")
	err := c.run(ctx, c.programs.pgCtl, "start", "--wait", "--silent", "--pgdata="+c.data(), "--log="+log,
		"--options=-p "+strconv.Itoa(c.port))
	if err != nil {
		said, readErr := os.ReadFile(log)
		return fmt.Errorf("start cluster: %w\n%s", errors.Join(err, readErr), said)
	}
	return nil
}

// Stop ends the cluster at once: its connections break off, as in a crash. Start recovers what was committed.
func (c *Cluster) Stop(ctx context.Context) error {
	if err := c.run(ctx, c.programs.pgCtl, "stop", "--wait", "--silent", "--pgdata="+c.data(), "--mode=immediate"); err != nil {
		return fmt.Errorf("stop cluster: %w", err)
	}
	return nil
}

// Close ends the cluster, running or not, and removes its folder.
func (c *Cluster) Close(ctx context.Context) error {
	_, err := os.Stat(filepath.Join(c.data(), "postmaster.pid"))
	switch {
	case errors.Is(err, os.ErrNotExist): // it was stopped before
		return c.remove()
	case err != nil:
		return errors.Join(fmt.Errorf("stop cluster: %w", err), c.remove())
	}
	return errors.Join(c.Stop(ctx), c.remove())
}

// remove leaves nothing behind of a cluster that does not run.
func (c *Cluster) remove() error {
	return errors.Join(c.guard.Dismiss(), os.RemoveAll(c.dir))
}

// URL names a database of the cluster, over TCP. It holds the password of the cluster's superuser.
func (c *Cluster) URL(database string) string {
	return databaseURL(c.password, c.port, database)
}

func databaseURL(password string, port int, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketURL names a database of the cluster, over its unix socket.
func (c *Cluster) SocketURL(database string) string {
	query := url.Values{"host": {c.dir}, "port": {strconv.Itoa(c.port)}}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Path:     "/" + database,
		RawQuery: query.Encode(),
	}
	return u.String()
}

// CreateDatabase creates an empty database.
func (c *Cluster) CreateDatabase(ctx context.Context, name string) error {
	err := c.maintain(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// DropDatabase removes a database, and breaks off the connections to it.
func (c *Cluster) DropDatabase(ctx context.Context, name string) error {
	err := c.maintain(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	if err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	return nil
}

func (c *Cluster) maintain(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.URL(maintenance))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// writeFile writes a file that only the cluster's account can read.
func (c *Cluster) writeFile(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return c.account.Give(path)
}
