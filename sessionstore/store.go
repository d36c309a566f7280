package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore/cache"
)

// Store reads and writes the sessions of a Django site and reads its users. It may be used concurrently.
type Store struct {
	// Set at birth, never changed.
	cfg         Config
	db          database
	engine      engine
	expiry      djangocompat.ExpirySettings
	metrics     *metrics
	anonymous   *djangocompat.User
	known       *known
	sessions    *batcher[string, *sessionRow]
	cached      *batcher[string, *cachedSession]
	cache       cache.Cache // nil if sessions are in none
	users       *batcher[djangocompat.PK, userRow]
	visits      *batcher[string, *visit]
	permissions *batcher[djangocompat.PK, *grants]
	granted     *granted
	memory      *memory
	passwords   *passwords
	stop        context.CancelFunc
	workers     *sync.WaitGroup
	tokens      tokenLookups

	// Owned by connect, which runs once at a time.
	told *DatabaseError // what the log says of the database; nil if that it answers

	// Shared with whoever looks something up, and with Reload.
	keyed       atomic.Pointer[keyed]
	tokenTables atomic.Pointer[TokenTables] // what resolve is to find

	// Shared with whoever looks something up.
	tables  atomic.Pointer[tables]        // nil until the database has answered
	cause   atomic.Pointer[DatabaseError] // why the database is away; nil if it is not
	doubted chan struct{}                 // holds a token when the database may not be what it was
	asked   chan struct{}                 // holds a token when somebody asked while it was away
}

// Open makes a Store. It fails if cfg cannot be right, or if the database answers and lacks a table or a column
// that cfg names; not because the database is away: then it tries again in the background, and meanwhile
// whoever asks gets ErrUnavailable. It returns when the database has
// answered for the first time, or did not. Close the Store when it is no longer needed.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	db, err := openDatabase(cfg)
	if err != nil {
		return nil, err
	}
	s := newStore(cfg, db)
	if err := s.newEngine(); err != nil {
		db.close()
		return nil, err
	}
	if err := s.metrics.register(cfg.Registerer); err != nil {
		s.closeParts()
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if s.withoutDatabase() {
		s.cause.Store(&DatabaseError{Fault: FaultNoDatabase})
		return s, nil
	}
	s.connect(ctx)
	if cause := s.cause.Load(); cause != nil && cause.Fault == FaultSchema { // it does not heal by itself
		s.Close()
		return nil, fmt.Errorf("open database: %w", cause)
	}
	s.workers.Go(func() { s.watch(watching) })
	return s, nil
}

// openDatabase makes the database that the URL names, without a connection yet.
func openDatabase(cfg Config) (database, error) {
	if cfg.DatabaseURL.IsZero() {
		return noDatabase{}, nil
	}
	u, err := parseDatabaseURL(cfg.DatabaseURL.Reveal())
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(sqliteSchemes, u.scheme):
		return openSQLite(u, cfg)
	case slices.Contains(postgresSchemes, u.scheme):
		return openPostgres(u, cfg)
	default:
		return nil, errors.New("sessionstore: database_url has an unknown scheme: use postgres:// or sqlite:///")
	}
}

func newStore(cfg Config, db database) *Store {
	s := &Store{
		cfg: cfg,
		db:  db,
		expiry: djangocompat.ExpirySettings{
			CookieAge:            cfg.CookieAge,
			ExpireAtBrowserClose: cfg.ExpireAtBrowserClose,
			Location:             cfg.Location,
			Now:                  cfg.Now,
		},
		anonymous: new(djangocompat.User),
		known:     newKnown(),
		passwords: newPasswords(cfg),
		workers:   new(sync.WaitGroup),
		doubted:   make(chan struct{}, 1),
		asked:     make(chan struct{}, 1),
	}
	s.keyed.Store(newKeyed(cfg))
	s.tokenTables.Store(&cfg.Tokens)
	s.metrics = newMetrics(s)
	s.memory = newMemory(cfg, s.metrics)
	s.sessions = newBatcher(cfg, s.workers, s.fetchSessions)
	s.cached = newBatcher(cfg, s.workers, s.fetchCached)
	s.users = newBatcher(cfg, s.workers, s.fetchUsers)
	s.visits = newBatcher(cfg, s.workers, s.fetchVisits)
	s.tokens = newTokenLookups(cfg, s)
	s.permissions, s.granted = newBatcher(cfg, s.workers, s.fetchGrants), newGranted(cfg.Permissions)
	return s
}

// Close ends the Store when the lookups that are under way have ended. Further ones get ErrUnavailable.
func (s *Store) Close() {
	s.stop()
	s.sessions.close()
	s.cached.close()
	s.users.close()
	s.visits.close()
	s.tokens.close()
	s.permissions.close()
	s.workers.Wait()
	s.closeParts()
	s.metrics.unregister(s.cfg.Registerer)
}

func (s *Store) closeParts() {
	s.db.close()
	if s.cache != nil {
		s.cache.Close()
	}
}

// ready returns the tables, or why there are none.
func (s *Store) ready() (*tables, error) {
	if cause := s.cause.Load(); cause != nil {
		poke(s.asked)
		return nil, cause
	}
	t := s.tables.Load()
	if t == nil {
		return nil, &DatabaseError{Fault: FaultConnection}
	}
	return t, nil
}

// poke leaves a token in tokens, unless there is one.
func poke(tokens chan struct{}) {
	select {
	case tokens <- struct{}{}:
	default:
	}
}

// noted counts an error of the database, and sees to it that the database is asked anew for what it is, if
// the error means that it is away or that its tables are others.
func (s *Store) noted(err error) error {
	if err == nil {
		return nil
	}
	s.metrics.fault(faultOf(err))
	if gone(err) {
		if e, ok := errors.AsType[*DatabaseError](err); ok && s.cause.CompareAndSwap(nil, e) {
			poke(s.doubted)
		}
	}
	if faultOf(err) == FaultSchema {
		poke(s.doubted)
	}
	return err
}
