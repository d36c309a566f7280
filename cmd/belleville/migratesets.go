package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/migrations"
)

// setArgument is the name of a set.
type setArgument struct {
	Set          string `arg:"" optional:"" help:"The set, as in channels_postgres."`
	LiveSessions bool   `help:"The set live_sessions, by another spelling."`
}

// name returns what the set is called.
func (a setArgument) name() string {
	if a.Set == "" && a.LiveSessions {
		return migrations.LiveSessions
	}
	return a.Set
}

// isLive reports whether the set is for the site's own tables.
func (a setArgument) isLive() bool {
	return a.name() == migrations.LiveSessions || a.name() == migrations.LiveSessionsUpdates
}

// Validate is called by the parser.
func (a setArgument) Validate() error {
	switch {
	case a.name() == "":
		return errors.New("name a set")
	case a.LiveSessions && a.Set != "" && a.Set != migrations.LiveSessions:
		return errors.New("name one set: --live-sessions is live_sessions")
	}
	return nil
}

// find returns a set that is for no tables of the site's.
func (a setArgument) find() (migrations.Set, error) {
	s, err := migrations.Find(a.name())
	if err != nil {
		return s, &usageError{"there is no such set of objects; the sets are:\n" + listSets()}
	}
	return s, nil
}

// listSets returns a line for each set.
func listSets() string {
	var text strings.Builder
	for _, s := range append(migrations.Sets(), migrations.LiveSetNames()...) {
		text.WriteString(fmt.Sprintf("  %s: %s\n", s.Name, s.About))
	}
	return text.String()
}

// liveSet returns a set for the site's own tables.
func liveSet(ctx context.Context, conn *pgx.Conn, cfg *config.Config, name string) (migrations.Set, error) {
	sets, err := migrations.LiveSets(ctx, conn, cfg.LiveTables())
	if err != nil {
		return migrations.Set{}, err
	}
	for _, s := range sets {
		if s.Name == name {
			return s, nil
		}
	}
	return migrations.Set{}, fmt.Errorf("there is no set %s", name)
}
