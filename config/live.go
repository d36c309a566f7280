package config

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw/live"
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
	return live.Config{RecheckInterval: c.Live.RecheckInterval, Registerer: reg, Logger: logger}
}
