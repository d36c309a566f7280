package changes

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrDeaf means that notifications do not arrive though LISTEN was taken: a pooler in transaction mode stands
	// in between, or a proxy that swallows.
	ErrDeaf = errors.New("changes: LISTEN was taken, but nothing is heard: connect to PostgreSQL itself, not to a pooler")

	// ErrNoTriggers means that nothing in the database tells of changes.
	ErrNoTriggers = errors.New("changes: the triggers are not there: belleville migrate up live_sessions")
)

// Config says how a Listener listens. The zero Config is a good one.
type Config struct {
	// ProbeInterval is the time between two probes of a connection that LISTENs, and a tenth of it that between two
	// looks at an SQLite file. Default: 2 s.
	ProbeInterval time.Duration
	// StartTimeout is how long the first connection may take until it is proven to hear. Default: 3 s.
	StartTimeout time.Duration
	// Sessions and Users are the tables whose triggers tell, as SQL names them. Default: django_session, auth_user.
	Sessions, Users string
	// Registerer takes the metrics. Default: none.
	Registerer prometheus.Registerer
	// Logger is told when changes are not heard any more, and when they are again; and of triggers of an older version,
	// which tell of less. Default: none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.ProbeInterval <= 0 {
		c.ProbeInterval = 2 * time.Second
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 3 * time.Second
	}
	if c.Sessions == "" {
		c.Sessions = "django_session"
	}
	if c.Users == "" {
		c.Users = "auth_user"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// source is one kind of database. It listens until that fails, and calls heard at first and whenever it is sure
// that it hears. A fatal error is one that trying again does not mend.
type source interface {
	listen(ctx context.Context, tell func(Change), heard func(saves bool)) error
	fatal(err error) bool
}

// Listener hears of changes.
type Listener struct {
	// Set at birth, never changed.
	cfg     Config
	source  source
	metrics *metrics

	// Shared with whoever asks.
	proven atomic.Pointer[time.Time] // when it was last sure to hear; nil while it does not
	saves  atomic.Bool
}

func newListener(s source, cfg Config) *Listener {
	l := &Listener{cfg: cfg.withDefaults(), source: s}
	l.metrics = newMetrics(l, cfg.Registerer)
	return l
}

// Proven reports whether changes are heard: what was not told of has not changed, but for the last few seconds.
func (l *Listener) Proven() bool { return l.proven.Load() != nil }

// HearsSaves reports whether it is told of sessions that are saved with other data, too, as long as it is Proven: on
// PostgreSQL by the trigger of the set live_sessions_updates.
func (l *Listener) HearsSaves() bool { return l.saves.Load() }

// age returns how long ago it was last sure to hear.
func (l *Listener) age() time.Duration {
	at := l.proven.Load()
	if at == nil {
		return 0
	}
	return time.Since(*at)
}

// Run calls tell for each change until ctx is done, and returns nil then. It returns an error where it can never
// hear anything: ErrDeaf before it has heard anything, ErrNoTriggers. A database that is away is waited for.
func (l *Listener) Run(ctx context.Context, tell func(Change)) error {
	counted := func(c Change) {
		l.metrics.changes.WithLabelValues(c.Kind.String()).Inc()
		tell(c)
	}
	heardOnce, wasHeard := false, true
	for wait := (backoff{}); ; {
		heard := func(saves bool) {
			l.saves.Store(saves)
			if l.proven.Load() == nil {
				if heardOnce {
					l.cfg.Logger.Info("changes in the database are heard of again")
				}
				heardOnce, wasHeard, wait = true, true, backoff{}
				counted(Change{Kind: Anything}) // first, so that nobody believes what is older than that
			}
			now := time.Now()
			l.proven.Store(&now)
		}
		err := l.source.listen(ctx, counted, heard)
		l.proven.Store(nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case l.source.fatal(err) || errors.Is(err, ErrDeaf) && !heardOnce:
			return err
		}
		l.metrics.lost.Inc()
		if wasHeard {
			wasHeard = false
			l.cfg.Logger.Warn("changes in the database are not heard of, trying again", slog.String("error", err.Error()))
		}
		if !pause(ctx, wait.next()) {
			return nil
		}
	}
}

// String returns the kind as a word.
func (k Kind) String() string {
	switch k {
	case Session:
		return "session"
	case User:
		return "user"
	}
	return "anything"
}

// backoff says how long to wait before the next try: not at all at first, then a random time up to a bound that
// doubles, so that many who were cut off together do not come back together.
type backoff struct{ failures int }

const (
	shortest = 50 * time.Millisecond
	longest  = time.Second
)

func (b *backoff) next() time.Duration {
	if b.failures++; b.failures == 1 {
		return 0
	}
	bound := min(shortest<<min(b.failures-2, 10), longest)
	return bound/4 + rand.N(bound)
}

// pause waits, and reports whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
