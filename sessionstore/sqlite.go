package sessionstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/belleville/belleville/djangocompat"
)

const (
	// sqliteLife is how long a connection to a file is kept, so that a file that was put in its place is seen.
	sqliteLife = time.Minute
	// shortWait is how soon a locked file is tried again.
	shortWait = 300 * time.Microsecond
)

// sqliteDatabase is a file that Django writes to as well.
type sqliteDatabase struct {
	readers  *sql.DB // they change nothing
	writer   *sql.DB // one connection
	location *time.Location
	timeout  time.Duration
}

// openSQLite opens nothing yet: connections come when they are needed. The file must exist.
func openSQLite(u databaseURL, cfg Config) (*sqliteDatabase, error) {
	if u.user != "" || u.password != "" || len(u.hosts) > 0 || u.name == "" || u.name == ":memory:" {
		return nil, errors.New(`sessionstore: database_url names no file: write "sqlite:///relative/path" or "sqlite:////absolute/path"`)
	}
	d := &sqliteDatabase{location: cfg.Location, timeout: cfg.QueryTimeout}
	var err error
	if d.readers, err = sql.Open("sqlite", sqliteName(u.name, "query_only(1)")); err != nil {
		return nil, errors.New("sessionstore: database_url names a file that SQLite cannot open")
	}
	if d.writer, err = sql.Open("sqlite", sqliteName(u.name, "foreign_keys(1)")); err != nil {
		return nil, errors.New("sessionstore: database_url names a file that SQLite cannot open")
	}
	d.readers.SetMaxOpenConns(min(cfg.PoolSize, 2*runtime.GOMAXPROCS(0)))
	d.readers.SetMaxIdleConns(2)
	d.readers.SetConnMaxLifetime(sqliteLife)
	d.writer.SetMaxOpenConns(1)
	d.writer.SetConnMaxLifetime(sqliteLife)
	return d, nil
}

// sqliteName is the name of a file, which is not made if it is missing, for modernc.org/sqlite. It says
// nothing of the journal: that is Django's.
func sqliteName(path, pragma string) string {
	query := url.Values{
		"mode":    {"rw"},
		"_pragma": {"busy_timeout(0)", pragma}, // see persist
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?" + query.Encode()
}

func (d *sqliteDatabase) dialect() dialect { return sqliteDialect{d.location} }

func (d *sqliteDatabase) columns(ctx context.Context, table string) (map[string]columnType, error) {
	found := make(map[string]columnType)
	q := statement{`SELECT "name", "type" FROM pragma_table_info(?1)`, []any{table}}
	err := d.query(ctx, q, func(scan func(...any) error) error {
		var name, declared string
		if err := scan(&name, &declared); err != nil {
			return err
		}
		found[name] = sqliteType(strings.ToLower(declared))
		return nil
	})
	return found, err
}

// sqliteType returns what Django keeps in a column that it declared so.
func sqliteType(declared string) columnType {
	switch {
	case declared == "char(32)": // UUIDField: 32 hexadecimal digits
		return columnUUID
	case strings.Contains(declared, "int"):
		return columnInt
	case strings.Contains(declared, "char"), strings.Contains(declared, "text"):
		return columnText
	default:
		return columnOther
	}
}

func (d *sqliteDatabase) query(ctx context.Context, q statement, row func(scan func(...any) error) error) error {
	return d.persist(ctx, func() error {
		rows, err := d.readers.QueryContext(ctx, q.sql, q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows.Scan); err != nil {
				return &DatabaseError{Fault: FaultValue}
			}
		}
		return rows.Err()
	})
}

func (d *sqliteDatabase) exec(ctx context.Context, first statement, others ...statement) (int64, error) {
	conn, err := d.writer.Conn(ctx)
	if err != nil {
		return 0, sqliteError(ctx, err)
	}
	defer conn.Close()
	if err := d.run(ctx, conn, "BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	n, err := execAll(ctx, conn, first, others)
	if err == nil {
		if err = d.run(ctx, conn, "COMMIT"); err == nil {
			return n, nil
		}
	}
	if _, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); undo != nil { // nobody may go on with it
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return 0, sqliteError(ctx, err)
}

// run executes a statement that others' locks may be in the way of.
func (d *sqliteDatabase) run(ctx context.Context, conn *sql.Conn, text string) error {
	return d.persist(ctx, func() error {
		_, err := conn.ExecContext(ctx, text)
		return err
	})
}

func execAll(ctx context.Context, conn *sql.Conn, first statement, others []statement) (int64, error) {
	result, err := conn.ExecContext(ctx, first.sql, first.args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil || n == 0 {
		return n, err
	}
	for _, q := range others {
		if _, err := conn.ExecContext(ctx, q.sql, q.args...); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// persist calls do until no lock is in its way, for as long as a query may take. SQLite would wait in steps
// that grow to a tenth of a second, and starve beside a program that writes much.
func (d *sqliteDatabase) persist(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	for {
		err := do()
		if err == nil {
			return nil
		}
		err = sqliteError(ctx, err)
		if faultOf(err) != FaultLocked {
			return err
		}
		select {
		case <-time.After(shortWait + rand.N(shortWait)):
		case <-ctx.Done():
			return err
		}
	}
}

func (d *sqliteDatabase) connections() (open, busy int) {
	r, w := d.readers.Stats(), d.writer.Stats()
	return r.OpenConnections + w.OpenConnections, r.InUse + w.InUse
}

func (d *sqliteDatabase) close() {
	_ = d.readers.Close() // nothing is left to save
	_ = d.writer.Close()
}

// sqliteError says what kind of trouble err is, and nothing of its text.
func sqliteError(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*DatabaseError](err); ok {
		return e
	}
	fault := FaultOther
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		if ctx.Err() != nil {
			fault = FaultTimeout
		}
		return &DatabaseError{Fault: fault}
	}
	switch e.Code() & 0xff { // the rest of the code goes into detail
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		fault = FaultLocked
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		fault = FaultConnection
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL:
		fault = FaultReadOnly
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		fault = FaultAuthorization
	case sqlite3.SQLITE_INTERRUPT:
		fault = FaultTimeout
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA:
		fault = FaultSchema
	}
	return &DatabaseError{Fault: fault, Code: fmt.Sprintf("SQLite %d", e.Code())}
}

// sqliteDialect is SQL as SQLite has it, with values as Django writes them.
type sqliteDialect struct{ location *time.Location }

func (sqliteDialect) table(name string) string { return quote(name) }

func (sqliteDialect) param(n int) string { return "?" + strconv.Itoa(n) }

func (s sqliteDialect) oneOf(column string, _ djangocompat.PKKind, count int) string {
	var b strings.Builder
	b.WriteString(column)
	b.WriteString(" IN (")
	for i := range count {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.param(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

func (sqliteDialect) texts(values []string) []any {
	args := make([]any, 0, len(values)+1)
	for _, v := range values {
		args = append(args, v)
	}
	return args
}

func (sqliteDialect) pks(kind djangocompat.PKKind, values []djangocompat.PK) []any {
	args := make([]any, 0, len(values)+1)
	for _, pk := range values {
		switch kind {
		case djangocompat.PKInt:
			n, _ := pk.Int64()
			args = append(args, n)
		case djangocompat.PKUUID:
			args = append(args, strings.ReplaceAll(pk.String(), "-", ""))
		default:
			args = append(args, pk.String())
		}
	}
	return args
}

func (s sqliteDialect) times() *time.Location { return s.location }
