package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
)

const (
	database = "site"
	password = "wonderland"           // of alice and bob
	starting = 30 * time.Second       // for a program until it answers
	stopping = 30 * time.Second       // for PostgreSQL
	retry    = 100 * time.Millisecond // between two looks whether a program answers
)

// addresses are where the demo's servers listen, each as host:port.
type addresses struct {
	django     string
	belleville string
	admin      string
}

// demo is what runs. Its parts are stopped in the reverse order of their start.
type demo struct {
	where     addresses
	secretKey string
	dir       string // for the belleville program
	cluster   *pgtest.Cluster
	project   *djangotest.Project

	django     *parts.Process
	belleville *parts.Process
}

// run starts everything, tells out where it is, and stops everything when ctx ends or one of the parts does.
func run(ctx context.Context, where addresses, out io.Writer) (err error) {
	if err := where.check(); err != nil {
		return err
	}
	d := &demo{where: where, secretKey: rand.Text()}
	defer func() { err = errors.Join(err, d.stop()) }()
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"Starting PostgreSQL in a temporary folder", d.startPostgres},
		{"Making Django's tables and the users alice and bob", d.migrate},
		{"Building Belleville", d.build},
		{"Starting Django", d.startDjango},
		{"Starting Belleville", d.startBelleville},
	} {
		fmt.Fprintln(out, step.what)
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // interrupted, and thereby asked to stop
			}
			return err
		}
	}
	fmt.Fprintf(out, `
  The site     http://%s/
  Its metrics  http://%s/metrics

Log in as alice in one window and as bob in a private one; the password of both is %s. Ctrl-C stops everything.

`, where.django, where.admin, password)
	select {
	case <-ctx.Done():
		return nil
	case <-d.django.Ended():
		return fmt.Errorf("%s: Django ended", d.where.django)
	case <-d.belleville.Ended():
		return fmt.Errorf("%s: Belleville ended", d.where.belleville)
	}
}

// check finds out early, and says it plainly, when somebody else listens at one of the addresses.
func (a addresses) check() error {
	for _, each := range []struct{ flag, address string }{
		{"django", a.django}, {"belleville", a.belleville}, {"admin", a.admin},
	} {
		listener, err := net.Listen("tcp", each.address)
		if err != nil {
			return fmt.Errorf("%w: choose another address with -%s", err, each.flag)
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) startPostgres(ctx context.Context) (err error) {
	if d.cluster, err = pgtest.NewCluster(ctx); err != nil {
		return err
	}
	return d.cluster.CreateDatabase(ctx, database)
}

func (d *demo) migrate(ctx context.Context) error {
	_, port, err := net.SplitHostPort(d.where.belleville)
	if err != nil {
		return err
	}
	d.project, err = djangotest.NewProject(ctx, d.cluster.URL(database), djangotest.Config{
		SecretKey: d.secretKey,
		Env:       []string{"WEBSOCKETS_URL=:" + port},
	})
	if err != nil {
		return err
	}
	if _, err := d.project.Manage(ctx, "migrate"); err != nil {
		return err
	}
	_, err = d.project.Manage(ctx, "makeuser", "--password", password, "alice", "bob")
	return err
}

func (d *demo) build(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "rundemo-"); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", d.program(), "./cmd/belleville")
	cmd.Dir = filepath.Join(d.project.Dir, "..", "..")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}

func (d *demo) program() string { return filepath.Join(d.dir, "belleville") }

func (d *demo) startDjango(ctx context.Context) (err error) {
	cmd := d.project.Command(context.WithoutCancel(ctx), "manage.py", "runserver", "--noreload", d.where.django)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if d.django, err = parts.Start(parts.Account{}, cmd); err != nil {
		return err
	}
	return answers(ctx, d.where.django, d.django)
}

func (d *demo) startBelleville(ctx context.Context) (err error) {
	_, port, err := net.SplitHostPort(d.where.django)
	if err != nil {
		return err
	}
	databaseURL, err := pgtest.Restrict(ctx, d.cluster.URL(database))
	if err != nil {
		return err
	}
	cmd := exec.Command(d.program(), "serve", "--config", filepath.Join(d.project.Dir, "belleville.toml"))
	others := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "BELLEVILLE_") // meant for somebody else
	})
	cmd.Env = append(others,
		"BELLEVILLE_LISTEN="+d.where.belleville,
		"BELLEVILLE_ADMIN_LISTEN="+d.where.admin,
		"BELLEVILLE_DJANGO_SECRET_KEY="+d.secretKey,
		"BELLEVILLE_DJANGO_DATABASE_URL="+databaseURL,
		"BELLEVILLE_DJANGO_ALLOWED_ORIGINS=http://"+d.where.django+",http://localhost:"+port,
	)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if d.belleville, err = parts.Start(parts.Account{}, cmd); err != nil {
		return err
	}
	return answers(ctx, d.where.belleville, d.belleville)
}

// answers waits until the process takes connections at address.
func answers(ctx context.Context, address string, process *parts.Process) error {
	ctx, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	look := time.NewTicker(retry)
	defer look.Stop()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-process.Ended():
			return errors.New("it ended: see what it printed above")
		case <-ctx.Done():
			return err
		case <-look.C:
		}
	}
}

// stop ends what was started, as far as that went.
func (d *demo) stop() error {
	var errs []error
	for _, process := range []*parts.Process{d.belleville, d.django} {
		if process != nil {
			errs = append(errs, process.Stop())
		}
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	if d.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopping)
		defer cancel()
		errs = append(errs, d.cluster.Close(ctx))
	}
	return errors.Join(errs...)
}
