package live

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// A Store says what handshakes would find, as [*sessionstore.Store] does.
type Store interface {
	// Standings returns what a handshake with each session key would find, in the order of the keys.
	Standings(ctx context.Context, keys []string) ([]sessionstore.Standing, error)
	// TokenStandings returns what one with each token would find, in the order of what they rest on.
	TokenStandings(ctx context.Context, grounds []sessionstore.TokenGround) ([]sessionstore.Standing, error)
}

// Config says how often sessions are asked about. The zero Config is a good one.
type Config struct {
	// RecheckInterval is the longest time after which an open session is asked about again. Default: 30 s.
	RecheckInterval time.Duration
	// BatchSize is how many sessions one query asks about. Default: 1000.
	BatchSize int
	// Ground says what it rests on that a visitor is known, where that is not a session; token.GroundOf does. Where it
	// is nil, or returns nil, such visitors are not asked about. Default: none.
	Ground func(*consumers.Scope) *sessionstore.TokenGround
	// Now is the clock by which sessions expire: that of the store. Default: time.Now.
	Now func() time.Time
	// Registerer takes the metrics. Default: none.
	Registerer prometheus.Registerer
	// Logger is told when the store cannot say, once until it can. Default: none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.RecheckInterval <= 0 {
		c.RecheckInterval = 30 * time.Second
	}
	if c.BatchSize <= 0 {
		c.BatchSize = 1000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Ground == nil {
		c.Ground = func(*consumers.Scope) *sessionstore.TokenGround { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Live knows the open connections of visitors, by session and by user. It may be used concurrently.
type Live struct {
	// Set at birth, never changed.
	store   Store
	cfg     Config
	metrics *metrics
	wakeups chan struct{}      // holds one where something is urgent
	nobody  *djangocompat.User // AnonymousUser

	kicks     atomic.Pointer[kick]      // the last one; written under mu
	came      atomic.Bool               // somebody has
	unsettled atomic.Pointer[time.Time] // until when arrivals may read what is older than the last TouchAll; nil where there was none

	mu     sync.Mutex        // guards the fields below
	moving map[*seat]arrival // who is between Moving and Moved
	index  index
	others others
	wheel  wheel
	touch  touches
	rules  map[*seat]*ruled // those that rules are asked about
	// When the changes were committed that are to be looked at, where that is known.
	commits map[*watched]time.Time
	// What those rest on of whom is known by a token.
	grounds map[*watched]sessionstore.TokenGround
}

// New makes a Live. Nothing is asked about until Run runs.
func New(store Store, cfg Config) *Live {
	cfg = cfg.withDefaults()
	l := &Live{
		store:   store,
		cfg:     cfg,
		wakeups: make(chan struct{}, 1),
		nobody:  new(djangocompat.User),
		index:   newIndex(),
		wheel:   newWheel(cfg.RecheckInterval, cfg.Now()),
	}
	l.kicks.Store(new(kick))
	l.metrics = newMetrics(l, cfg.Registerer)
	return l
}

// SessionTouched says that a session may have changed, or gone: who is connected with it is asked about at once.
// The hash is [HashSession] of its key. It was committed at the time committed, which may be zero for unknown.
func (l *Live) SessionTouched(hash Hash, committed time.Time) {
	l.metrics.touched.WithLabelValues(touchedSession).Inc()
	l.mu.Lock()
	l.touch.note(hash, committed)
	w := l.index.sessions[hash]
	if w != nil {
		l.hurryLocked(w, committed)
	}
	l.mu.Unlock()
	if w != nil {
		l.wake()
	}
}

// UserTouched says that a user's row may have changed, or gone. The hash is [HashUser] of the primary key.
func (l *Live) UserTouched(hash Hash, committed time.Time) {
	l.metrics.touched.WithLabelValues(touchedUser).Inc()
	l.mu.Lock()
	l.touch.note(hash, committed)
	first := l.index.users[hash]
	for w := first; w != nil; w = w.nextOfUser {
		l.hurryLocked(w, committed)
	}
	l.mu.Unlock()
	if first != nil {
		l.wake()
	}
}

// TouchAll says that anything may have changed unnoticed: every session is asked about, soon and in batches.
func (l *Live) TouchAll() {
	l.metrics.touched.WithLabelValues(touchedAll).Inc()
	l.mu.Lock()
	if l.came.Load() { // else nothing was read yet
		until := l.cfg.Now().Add(settling)
		l.unsettled.Store(&until) // before the kick, for arrive
		l.kickLocked(kick{whose: asked})
		l.touch.noteAll()
	}
	for _, w := range l.index.sessions {
		l.hurryLocked(w, time.Time{})
	}
	l.mu.Unlock()
	l.wake()
}

// hurryLocked makes a session one of those that are asked about next.
func (l *Live) hurryLocked(w *watched, committed time.Time) {
	if _, noted := l.commits[w]; !noted && !committed.IsZero() {
		if l.commits == nil {
			l.commits = make(map[*watched]time.Time)
		}
		l.commits[w] = committed
	}
	w.again = w.asking // what is being asked now may be older than the change
	l.wheel.hurry(w)
}

// wake tells Run that something is urgent.
func (l *Live) wake() {
	select {
	case l.wakeups <- struct{}{}:
	default: // it is awake already
	}
}

// A Hash stands for a session key or a user, and tells nothing of either. What a trigger in the database tells of
// is named so.
type Hash [8]byte

// HashSession returns the Hash of a session key: the first bytes of its SHA-256.
func HashSession(key string) Hash { return sumOf([]byte(key)) }

// HashUser returns the Hash of a user: the first bytes of the SHA-256 of "user:" and the primary key, as text as
// Django's str() has it.
func HashUser(pk djangocompat.PK) Hash {
	var few [64]byte
	name := append(few[:0], "user:"...)
	if n, ok := pk.Int64(); ok {
		return sumOf(strconv.AppendInt(name, n, 10))
	}
	return sumOf(append(name, pk.String()...))
}
