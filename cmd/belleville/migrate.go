package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/migrations"
)

// migratePatience is how long the database may take.
const migratePatience = time.Minute

// migrateCommands make and remove optional database objects.
type migrateCommands struct {
	Up     migrateUpCommand     `cmd:"" help:"Make a set of objects."`
	Down   migrateDownCommand   `cmd:"" help:"Remove what up has made."`
	Status migrateStatusCommand `cmd:"" help:"Say what there is."`
	SQL    migrateSQLCommand    `cmd:"" name:"sql" help:"Print what up would run."`
}

// Help is shown by --help.
func (*migrateCommands) Help() string {
	return `The sets:

` + listSets() + `
Nothing that Django made is altered, and nothing that the Django app of a set looks after is touched. The database is that of the channel layer, if it is in Postgres, and the site's otherwise.

Example:

  belleville migrate status
  belleville migrate up channels_postgres`
}

// listSets returns a line for each set.
func listSets() string {
	text := ""
	for _, s := range migrations.Sets() {
		text += fmt.Sprintf("  %s: %s\n", s.Name, s.About)
	}
	return text
}

// setArgument is the name of a set.
type setArgument struct {
	Set string `arg:"" help:"The set, as in channels_postgres."`
}

// find returns the set.
func (a setArgument) find() (migrations.Set, error) {
	s, err := migrations.Find(a.Set)
	if err != nil {
		return s, &usageError{"there is no such set of objects; the sets are:\n" + listSets()}
	}
	return s, nil
}

type migrateUpCommand struct {
	configFlag
	setArgument
}

// Help is shown by --help.
func (*migrateUpCommand) Help() string {
	return "It may be run again. Example:\n\n  belleville migrate up channels_postgres"
}

// Run implements the command.
func (c *migrateUpCommand) Run(p *program, out io.Writer) error {
	return c.migrate(p, c.setArgument, func(ctx context.Context, conn *pgx.Conn, s migrations.Set) error {
		if err := migrations.Up(ctx, conn, s); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, s.Name+": "+string(migrations.Present))
		return err
	})
}

type migrateDownCommand struct {
	configFlag
	setArgument
}

// Help is shown by --help.
func (*migrateDownCommand) Help() string {
	return "It may be run again. Example:\n\n  belleville migrate down channels_postgres_index"
}

// Run implements the command.
func (c *migrateDownCommand) Run(p *program, out io.Writer) error {
	return c.migrate(p, c.setArgument, func(ctx context.Context, conn *pgx.Conn, s migrations.Set) error {
		if err := migrations.Down(ctx, conn, s); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, s.Name+": "+string(migrations.Absent))
		return err
	})
}

// migrate does something with a set in the configured database.
func (f *configFlag) migrate(p *program, a setArgument, do func(context.Context, *pgx.Conn, migrations.Set) error) error {
	s, err := a.find()
	if err != nil {
		return err
	}
	return f.connected(p, func(ctx context.Context, conn *pgx.Conn) error { return do(ctx, conn, s) })
}

// connected does something with the configured database.
func (f *configFlag) connected(p *program, do func(context.Context, *pgx.Conn) error) error {
	cfg, err := f.load(p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), migratePatience)
	defer cancel()
	conn, err := cfg.LayerDatabase().Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return do(ctx, conn)
}

type migrateStatusCommand struct {
	configFlag
}

// Help is shown by --help.
func (*migrateStatusCommand) Help() string {
	return `Each set is "absent", "present", "partial" where some of it is missing, "django" where an app of the site looks after it, or "foreign" where somebody else has made some of it. Example:

  belleville migrate status`
}

// Run implements the command.
func (c *migrateStatusCommand) Run(p *program, out io.Writer) error {
	return c.connected(p, func(ctx context.Context, conn *pgx.Conn) error {
		for _, s := range migrations.Sets() {
			state, err := migrations.Status(ctx, conn, s)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s: %s\n", s.Name, state); err != nil {
				return err
			}
		}
		return nil
	})
}

type migrateSQLCommand struct {
	Set string `arg:"" optional:"" help:"The set. Default: all."`
}

// Help is shown by --help.
func (*migrateSQLCommand) Help() string {
	return "It needs no database. Indexes can be made by hand with CREATE INDEX CONCURRENTLY, which locks nobody out. Example:\n\n  belleville migrate sql channels_postgres"
}

// Run implements the command.
func (c *migrateSQLCommand) Run(out io.Writer) error {
	sets := migrations.Sets()
	if c.Set != "" {
		s, err := setArgument{c.Set}.find()
		if err != nil {
			return err
		}
		sets = []migrations.Set{s}
	}
	for _, s := range sets {
		if _, err := fmt.Fprintf(out, "-- %s: %s\n%s", s.Name, s.About, s.UpSQL()); err != nil {
			return err
		}
	}
	return nil
}
