package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/migrations"
)

// migratePatience is how long the database may take.
const migratePatience = time.Minute

// migrateName is the application_name of migrate's connections, which are the owner's and not those of the role that
// serves.
const migrateName = "belleville-migrate"

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
Nothing that Django made is altered, and nothing that the Django app of a set looks after is touched. The database is that of the channel layer, if it is in Postgres, and the site's otherwise; the triggers of live_sessions are always in the site's, django.database_url, and only the owner of its tables can make them.

Example:

  belleville migrate status
  belleville migrate up live_sessions`
}

type migrateUpCommand struct {
	configFlag
	setArgument
}

// Help is shown by --help.
func (*migrateUpCommand) Help() string {
	return "It may be run again. Example:\n\n  belleville migrate up channels_postgres\n  belleville migrate up --live-sessions"
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

// migrate does something with a set in the database that it is for.
func (f *configFlag) migrate(p *program, a setArgument, do func(context.Context, *pgx.Conn, migrations.Set) error) error {
	if !a.isLive() {
		s, err := a.find()
		if err != nil {
			return err
		}
		cfg, err := f.load(p)
		if err != nil {
			return err
		}
		return within(cfg, (*config.Config).LayerDatabase, func(ctx context.Context, conn *pgx.Conn, _ *config.Config) error {
			return do(ctx, conn, s)
		})
	}
	cfg, err := f.load(p)
	if err != nil {
		return err
	}
	if !cfg.SiteInPostgres() {
		return errors.New(a.name() + " is for a site in PostgreSQL; of one in SQLite the file is watched, and nothing has to be made")
	}
	return within(cfg, (*config.Config).SiteDatabase, func(ctx context.Context, conn *pgx.Conn, cfg *config.Config) error {
		s, err := liveSet(ctx, conn, cfg, a.name())
		if err != nil {
			return err
		}
		return do(ctx, conn, s)
	})
}

// within does something with one of the databases of a configuration.
func within(cfg *config.Config, which func(*config.Config) pglayer.Database, do func(context.Context, *pgx.Conn, *config.Config) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), migratePatience)
	defer cancel()
	d := which(cfg)
	if d.Options == nil {
		d.Options = make(map[string]string)
	}
	d.Options["application_name"] = migrateName
	conn, err := d.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return do(ctx, conn, cfg)
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
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	tell := func(ctx context.Context, conn *pgx.Conn, sets []migrations.Set) error {
		for _, s := range sets {
			state, err := migrations.Status(ctx, conn, s)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s: %s\n", s.Name, state); err != nil {
				return err
			}
		}
		return nil
	}
	if cfg.LayerInPostgres() || cfg.SiteInPostgres() {
		err := within(cfg, (*config.Config).LayerDatabase, func(ctx context.Context, conn *pgx.Conn, _ *config.Config) error {
			return tell(ctx, conn, migrations.Sets())
		})
		if err != nil {
			return err
		}
	}
	if !cfg.SiteInPostgres() {
		_, err := fmt.Fprintln(out, migrations.LiveSessions+": not needed: the site's database is not in PostgreSQL")
		return err
	}
	return within(cfg, (*config.Config).SiteDatabase, func(ctx context.Context, conn *pgx.Conn, cfg *config.Config) error {
		sets, err := migrations.LiveSets(ctx, conn, cfg.LiveTables())
		if err != nil {
			return err
		}
		return tell(ctx, conn, sets)
	})
}

type migrateSQLCommand struct {
	configFlag
	Set string `arg:"" optional:"" help:"The set. Default: all that are for no tables of the site's."`
}

// Help is shown by --help.
func (*migrateSQLCommand) Help() string {
	return "It needs no database, but for the sets live_sessions and live_sessions_updates, which depend on the columns that the site's tables have. Indexes can be made by hand with CREATE INDEX CONCURRENTLY, which locks nobody out. Example:\n\n  belleville migrate sql channels_postgres"
}

// Run implements the command.
func (c *migrateSQLCommand) Run(p *program, out io.Writer) error {
	show := func(s migrations.Set) error {
		_, err := fmt.Fprintf(out, "-- %s: %s\n%s", s.Name, s.About, s.UpSQL())
		return err
	}
	a := setArgument{Set: c.Set}
	switch {
	case a.isLive():
		return c.migrate(p, a, func(_ context.Context, _ *pgx.Conn, s migrations.Set) error { return show(s) })
	case c.Set != "":
		s, err := a.find()
		if err != nil {
			return err
		}
		return show(s)
	}
	for _, s := range migrations.Sets() {
		if err := show(s); err != nil {
			return err
		}
	}
	return nil
}
