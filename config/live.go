package config

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/migrations"
)

// The ways of live.triggers.
const (
	TriggersAuto     = "auto"
	TriggersRequired = "required"
	TriggersOff      = "off"
)

// Live says how open connections follow the sessions of their visitors.
type Live struct {
	RecheckInterval time.Duration `toml:"recheck_interval"`
	Triggers        string        `toml:"triggers"`
	Control         bool          `toml:"control"`
	CacheAge        time.Duration `toml:"cache_age"`
	CacheBytes      int           `toml:"cache_bytes"`
}

// liveSessions checks how sessions are followed.
func (l *loader) liveSessions() {
	l.enumerated("live.triggers", l.config.Live.Triggers, TriggersAuto, TriggersRequired, TriggersOff)
	if d := l.config.Live.RecheckInterval; d < time.Second && !l.mistakes.has("live.recheck_interval") {
		l.mistakes.add("live.recheck_interval", d.String()+" is too short", `write a second at least, as in "30s"`)
	}
}

// FollowSessions returns the Config of what makes open connections follow their sessions.
func (c *Config) FollowSessions(reg prometheus.Registerer, logger *slog.Logger) live.Config {
	return live.Config{RecheckInterval: c.Live.RecheckInterval, Ground: token.GroundOf, Registerer: reg, Logger: logger}
}

// LiveTables returns the tables that the triggers of live_sessions watch.
func (c *Config) LiveTables() migrations.LiveTables {
	u := c.Django.User
	t := migrations.LiveTables{
		Schema: c.Database.Schema, Sessions: c.Django.SessionTable, Users: u.Table, PK: u.PK,
		Columns: []string{
			u.Username, u.Password, cmp.Or(u.IsActive, "is_active"), cmp.Or(u.IsStaff, "is_staff"), cmp.Or(u.IsSuperuser, "is_superuser"),
			cmp.Or(u.FirstName, "first_name"), cmp.Or(u.LastName, "last_name"), cmp.Or(u.Email, "email"),
		},
	}
	t.Columns = append(t.Columns, u.Columns...)
	t.Columns = append(t.Columns, slices.Sorted(maps.Keys(u.Where))...)
	return t
}
