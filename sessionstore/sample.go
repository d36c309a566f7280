package sessionstore

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/belleville/belleville/djangocompat"
)

// A Survey is what a database says of itself and of us.
type Survey struct {
	// Kind is "PostgreSQL" or "SQLite", Version as in "15.8".
	Kind, Version string
	// Role is who we are there, Superuser whether nothing is forbidden to it.
	Role      string
	Superuser bool
	// Pooled says that a pooler stands in between which gives each transaction another connection.
	Pooled bool
	// Connections is how many clients the server takes, and Free how many more it takes now. 0 is unknown.
	Connections, Free int
}

// Survey asks the database what it is.
func (s *Store) Survey(ctx context.Context) (Survey, error) {
	if _, err := s.ready(); err != nil {
		return Survey{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	db, ok := s.db.(*postgres)
	if !ok {
		v := Survey{Kind: "SQLite"}
		return v, s.noted(s.db.query(ctx, statement{sql: "SELECT sqlite_version()"}, func(scan func(...any) error) error { return scan(&v.Version) }))
	}
	const sql = `SELECT current_setting('server_version'), current_user::text, current_setting('is_superuser') = 'on',
current_setting('max_connections')::int, (SELECT sum(numbackends) FROM pg_stat_database)::int`
	v, taken := Survey{Kind: "PostgreSQL"}, 0
	err := db.query(ctx, statement{sql: sql}, func(scan func(...any) error) error {
		return scan(&v.Version, &v.Role, &v.Superuser, &v.Connections, &taken)
	})
	v.Version, _, _ = strings.Cut(v.Version, " ")
	v.Free = max(0, v.Connections-taken)
	if err != nil {
		return v, s.noted(err)
	}
	return v, s.noted(db.persist(ctx, func(conn *pgxpool.Conn) error {
		var pid int32
		err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", db.with(nil)...).Scan(&pid)
		v.Pooled = uint32(pid) != conn.Conn().PgConn().PID()
		return err
	}))
}

// A Sample says what became of stored sessions that were read to try the configuration out.
type Sample struct {
	// Sessions is how many there were, Readable how many of them can be read, and ByFallback how many of those
	// only one of SECRET_KEY_FALLBACKS has signed.
	Sessions, Readable, ByFallback int
	// Why the others cannot be read.
	BadSignature, Pickled, TooLarge, Malformed int
	// Logins counts the readable ones by what they say of a user.
	Logins map[Reason]int
}

// Sample reads some sessions, the latest first, and changes nothing. Present is SECRET_KEY alone. Sessions in a
// cache or a cookie cannot be listed: of these there are none.
func (s *Store) Sample(ctx context.Context, limit int, present djangocompat.Keys) (Sample, error) {
	texts, err := s.storedSessions(ctx, limit)
	sample := Sample{Sessions: len(texts), Logins: make(map[Reason]int)}
	if err != nil {
		return sample, err
	}
	codec := s.keyed.Load().codec
	first := codec
	first.Keys = present
	for _, text := range texts {
		data, err := codec.Decode(text)
		switch {
		case err == nil:
			sample.Readable++
			if _, err := first.Decode(text); err != nil {
				sample.ByFallback++
			}
			_, reason, err := s.Verdict(ctx, djangocompat.NewSession("", data, s))
			if err != nil {
				return sample, err
			}
			sample.Logins[reason]++
		case errors.Is(err, djangocompat.ErrBadSignature):
			sample.BadSignature++
		case errors.Is(err, djangocompat.ErrPickled):
			sample.Pickled++
		case errors.Is(err, djangocompat.ErrTooLarge):
			sample.TooLarge++
		default:
			sample.Malformed++
		}
	}
	return sample, nil
}

// storedSessions returns the texts of some sessions, as they are stored.
func (s *Store) storedSessions(ctx context.Context, limit int) ([]string, error) {
	if e, ok := s.engine.(fileEngine); ok {
		return e.some(limit)
	}
	if !s.cfg.hasSessionTable() {
		return nil, nil
	}
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	// What has no text is a note of a ticket that was spent.
	sql := t.readSession + `"session_data" <> '' AND "expire_date" > ` + t.dialect.param(1) +
		` ORDER BY "expire_date" DESC LIMIT ` + strconv.Itoa(limit)
	var texts []string
	err = s.db.query(ctx, statement{sql, []any{t.time(s.cfg.Now())}}, func(scan func(...any) error) error {
		var key textValue
		var text nullText
		ends := timeValue{location: t.location}
		if err := scan(&key, &text, &ends); err != nil {
			return err
		}
		texts = append(texts, text.text)
		return nil
	})
	return texts[:min(len(texts), limit)], s.noted(err) // a broken connection begins anew
}

// someFiles is how many files are looked at, at most.
const someFiles = 1000

// some returns what is in some of the files.
func (e fileEngine) some(limit int) ([]string, error) {
	folder, err := os.Open(e.folder)
	if err != nil {
		return nil, e.failed(err)
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(someFiles) // at the end of the folder there is an error
	var texts []string
	for _, name := range names {
		key, ok := strings.CutPrefix(name, e.prefix)
		if !ok || !fileKey(key) || len(texts) == limit {
			continue
		}
		if content, _, err := e.read(key); err == nil && len(content) > 0 {
			texts = append(texts, string(content))
		}
	}
	return texts, nil
}

// PasswordKinds counts some of the users' passwords by the algorithm that encoded them, as far as Config.Passwords
// has no hasher for that. Unusable passwords do not count, and "" is what no algorithm of Django's has made.
func (s *Store) PasswordKinds(ctx context.Context, limit int) (unknown map[string]int, users int, err error) {
	t, err := s.ready()
	if err != nil {
		return nil, 0, err
	}
	hashers, err := djangocompat.NewPasswordHashers(s.cfg.Passwords)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	q := t.visible("SELECT "+quote(s.cfg.Users.Password)+" FROM "+t.users+" WHERE 1 = 1", nil)
	q.sql += " ORDER BY " + t.pk + " DESC LIMIT " + strconv.Itoa(limit)
	unknown = make(map[string]int)
	err = s.db.query(ctx, q, func(scan func(...any) error) error {
		var encoded nullText
		if err := scan(&encoded); err != nil {
			return err
		}
		users++
		if encoded.text == "" || strings.HasPrefix(encoded.text, "!") {
			return nil
		}
		_, err := hashers.Identify(encoded.text)
		refused, ok := errors.AsType[*djangocompat.PasswordError](err)
		if ok && !errors.Is(err, djangocompat.ErrPasswordMalformed) {
			unknown[refused.Algorithm]++
		}
		return nil
	})
	return unknown, users, s.noted(err)
}

// PermissionsKnown returns nil if users' permissions and groups can be read, and a [*DatabaseError] that names what
// is missing for that.
func (s *Store) PermissionsKnown() error {
	t, err := s.ready()
	if err != nil {
		return err
	}
	if t.permissions.missing != nil {
		return t.permissions.missing
	}
	return nil
}
