package sessionstore

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connectionLife is how long a connection is kept, so that a changed address is seen.
	connectionLife = 30 * time.Minute
	// postgresTries is how often a statement is sent whose connection breaks.
	postgresTries = 3
)

var execModes = map[string]pgx.QueryExecMode{
	ExecAuto:           pgx.QueryExecModeCacheStatement,
	ExecCacheStatement: pgx.QueryExecModeCacheStatement,
	ExecCacheDescribe:  pgx.QueryExecModeCacheDescribe,
	ExecPlain:          pgx.QueryExecModeExec,
}

// postgres is a PostgreSQL server, or a pooler in front of one.
type postgres struct {
	// Set at birth, never changed.
	pool    *pgxpool.Pool
	schema  string
	timeout string // statement_timeout
	chosen  bool   // the Config names the mode
	logger  *slog.Logger

	warned atomic.Bool  // that the role is a superuser
	mode   atomic.Int32 // the pgx.QueryExecMode of what is sent next
}

// openPostgres opens nothing yet: connections come when they are needed.
func openPostgres(u databaseURL, cfg Config) (*postgres, error) {
	keywords, unverified := u.keywords()
	pc, err := pgxpool.ParseConfig(keywords)
	if err != nil { // its text may hold the password
		names := strings.Join(slices.Sorted(maps.Keys(u.options)), ", ")
		return nil, errors.New("sessionstore: database_url has an option that is wrong; it has: " + orDefault(names, "none"))
	}
	if unverified {
		cfg.Logger.Warn("connection to the database is not verified: sslmode is not verify-full")
	}
	p := &postgres{
		schema:  cfg.Schema,
		timeout: strconv.FormatInt(cfg.QueryTimeout.Milliseconds(), 10),
		chosen:  cfg.QueryExecMode != ExecAuto,
		logger:  cfg.Logger,
	}
	p.mode.Store(int32(execModes[cfg.QueryExecMode]))
	pc.MaxConns = int32(min(cfg.PoolSize, 1<<15))
	pc.MaxConnLifetime = connectionLife
	pc.MaxConnLifetimeJitter = connectionLife / 10
	pc.PingTimeout = cfg.QueryTimeout
	pc.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
	pc.AfterConnect = p.greet
	if p.pool, err = pgxpool.NewWithConfig(context.Background(), pc); err != nil {
		return nil, errors.New("sessionstore: database_url cannot be used")
	}
	return p, nil
}

// greet finds out whether a new connection leads to a pooler: that tells another process id than the server.
// Statements prepared on such a connection may be missing at the next use, and settings would become those
// of others.
func (p *postgres) greet(ctx context.Context, conn *pgx.Conn) error {
	registerKeys(conn.TypeMap())
	var pid int32
	var super bool
	const sql = "SELECT pg_backend_pid(), current_setting('is_superuser') = 'on'"
	if err := conn.QueryRow(ctx, sql, pgx.QueryExecModeExec).Scan(&pid, &super); err != nil {
		return err
	}
	if super && !p.warned.Swap(true) {
		p.logger.Warn("the database role is a superuser; docs/operations.md makes one that may do what is needed, and no more")
	}
	if uint32(pid) != conn.PgConn().PID() {
		p.avoidPrepared()
		return nil
	}
	_, err := conn.Exec(ctx, "SELECT set_config('statement_timeout', $1, false)", pgx.QueryExecModeExec, p.timeout)
	return err
}

// avoidPrepared makes all connections do without prepared statements from now on.
func (p *postgres) avoidPrepared() {
	if !p.chosen {
		p.mode.CompareAndSwap(int32(pgx.QueryExecModeCacheStatement), int32(pgx.QueryExecModeCacheDescribe))
	}
}

// with returns args with what pgx needs to know before them.
func (p *postgres) with(args []any) []any {
	return append([]any{pgx.QueryExecMode(p.mode.Load())}, args...)
}

func (p *postgres) dialect() dialect { return postgresDialect{p.schema} }

func (p *postgres) columns(ctx context.Context, table string) (map[string]columnType, error) {
	const sql = `SELECT a.attname::text, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped`
	found := make(map[string]columnType)
	q := statement{sql, []any{p.dialect().table(table)}}
	err := p.query(ctx, q, func(scan func(...any) error) error {
		var name, typ string
		if err := scan(&name, &typ); err != nil {
			return err
		}
		found[name] = postgresType(typ)
		return nil
	})
	return found, err
}

func postgresType(name string) columnType {
	switch name {
	case "smallint", "integer", "bigint":
		return columnInt
	case "text", "character varying", "character", "citext":
		return columnText
	case "uuid":
		return columnUUID
	default:
		return columnOther
	}
}

func (p *postgres) query(ctx context.Context, q statement, row func(scan func(...any) error) error) error {
	return p.persist(ctx, func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, q.sql, p.with(q.args)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		scan := rows.Scan // makes a closure
		for rows.Next() {
			if err := row(scan); err != nil {
				return &DatabaseError{Fault: FaultValue}
			}
		}
		return rows.Err()
	})
}

func (p *postgres) exec(ctx context.Context, first statement, others ...statement) (n int64, err error) {
	err = p.persist(ctx, func(conn *pgxpool.Conn) error {
		if len(others) == 0 {
			n, err = p.execOne(ctx, conn, first)
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if n, err = p.execOne(ctx, tx, first); err != nil || n == 0 {
				return err
			}
			for _, q := range others {
				if _, err := p.execOne(ctx, tx, q); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		n = 0
	}
	return n, err
}

// execer is a connection or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func (p *postgres) execOne(ctx context.Context, to execer, q statement) (int64, error) {
	tag, err := to.Exec(ctx, q.sql, p.with(q.args)...)
	return tag.RowsAffected(), err
}

// persist calls do with a connection, and again with a new one if that turns out to be broken: all of them
// are after the server was restarted. What do changes may then be changed twice, so it must not matter.
func (p *postgres) persist(ctx context.Context, do func(*pgxpool.Conn) error) error {
	var err error
	for range postgresTries {
		var conn *pgxpool.Conn
		if conn, err = p.acquire(ctx); err != nil {
			return err
		}
		err = do(conn)
		conn.Release()
		if err == nil {
			return nil
		}
		err = postgresError(ctx, err)
		if !p.again(err) {
			return err
		}
	}
	return err
}

// acquire returns a connection of the pool, or a new one. Whoever ends the connections of an application may end one that is
// being made, which says nothing about the next.
func (p *postgres) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	for try := 1; ; try++ {
		conn, err := p.pool.Acquire(ctx)
		if err == nil {
			return conn, nil
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == adminShutdown && try < postgresTries {
			continue
		}
		return nil, p.acquireError(ctx, err)
	}
}

// again reports whether a statement that failed with err may succeed if it is sent once more.
func (p *postgres) again(err error) bool {
	switch faultOf(err) {
	case FaultConnection, FaultShutdown:
		p.pool.Reset() // the idle ones are no better
	case FaultPrepared:
		p.avoidPrepared()
	case FaultConflict:
	default:
		return false
	}
	return true
}

func (p *postgres) connections() (open, busy int) {
	stat := p.pool.Stat()
	return int(stat.TotalConns()), int(stat.AcquiredConns())
}

func (p *postgres) close() { p.pool.Close() }
