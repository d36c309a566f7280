package sessionstore

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore/cache"
)

// The dotted paths of Django's own authentication backends.
const (
	ModelBackend                   = "django.contrib.auth.backends.ModelBackend"
	AllowAllUsersModelBackend      = "django.contrib.auth.backends.AllowAllUsersModelBackend"
	RemoteUserBackend              = "django.contrib.auth.backends.RemoteUserBackend"
	AllowAllUsersRemoteUserBackend = "django.contrib.auth.backends.AllowAllUsersRemoteUserBackend"
)

// The ways in which queries are sent to PostgreSQL, for Config.QueryExecMode.
const (
	ExecAuto           = ""                // prepared, unless a pooler stands in between
	ExecCacheStatement = "cache_statement" // prepared statements, kept by the connection
	ExecCacheDescribe  = "cache_describe"  // unnamed statements of known types; for a transaction pooler
	ExecPlain          = "exec"            // unnamed statements, typed by their values
)

// Config says where the sessions and users of a site are and how they are read. DatabaseURL and Keys are
// needed, the rest has defaults. Without a DatabaseURL, where sessions are elsewhere, everybody is anonymous.
type Config struct {
	// DatabaseURL is where Django's tables are, as in dj-database-url: "postgres://user:password@host/name",
	// "sqlite:///relative/db.sqlite3", "sqlite:////absolute/db.sqlite3". A host that is not this machine
	// is connected to over verified TLS, unless the URL names another sslmode.
	DatabaseURL djangocompat.Secret
	// ListenURL is where Changes LISTENs: PostgreSQL itself, where DatabaseURL is a pooler's. Default: DatabaseURL.
	ListenURL djangocompat.Secret
	// Keys are SECRET_KEY and SECRET_KEY_FALLBACKS.
	Keys djangocompat.Keys

	// SessionEngine is SESSION_ENGINE, one of the Engine… paths. Default: EngineDB.
	SessionEngine string
	// SessionCache is the entry of CACHES that SESSION_CACHE_ALIAS names, for EngineCache and
	// EngineCachedDB. Its bounds and times are those of this Config.
	SessionCache cache.Config
	// SessionFilePath is SESSION_FILE_PATH, for EngineFile. Default: the folder for temporary files.
	SessionFilePath string
	// SessionCookieName is SESSION_COOKIE_NAME, with which the names of session files begin.
	// Default: "sessionid".
	SessionCookieName string
	// SessionSerializer is SESSION_SERIALIZER. Default: djangocompat.JSONSerializer.
	SessionSerializer djangocompat.Serializer
	// Schema is the PostgreSQL schema of the tables. Default: the search path decides.
	Schema string
	// SessionTable is the table of sessions. Default: "django_session".
	SessionTable string
	// Users is the table of the user model.
	Users UserTable
	// Tokens says what tokens are looked up in. Default: nothing.
	Tokens TokenTables

	// Salt is that of the session data; see djangocompat.SessionCodec.
	Salt string
	// MaxSessionSize bounds the JSON text of a session, inflated, in bytes. Default: 1 MiB.
	MaxSessionSize int
	// RefuseLegacy refuses what Django 4.0 and later refuse: session data and auth hashes signed with
	// SHA-1, and the form that session data had before Django 3.1.
	RefuseLegacy bool
	// WriteLegacy writes session data in that form, for a site with such a Django. Its auth hashes are
	// djangocompat.LegacySessionAuthHash: see AuthHash.
	WriteLegacy bool
	// CookieAge is SESSION_COOKIE_AGE. Default: two weeks.
	CookieAge time.Duration
	// ExpireAtBrowserClose is SESSION_EXPIRE_AT_BROWSER_CLOSE.
	ExpireAtBrowserClose bool
	// Location is TIME_ZONE of a site with USE_TZ = False, whose times in SQLite are local ones.
	// Default: UTC.
	Location *time.Location

	// AuthenticationBackends is AUTHENTICATION_BACKENDS. Default: ModelBackend.
	AuthenticationBackends []string
	// InactiveBackends are those of AuthenticationBackends that let inactive users in, besides Django's own
	// AllowAllUsers… ones.
	InactiveBackends []string
	// AuthHash is what a user model's own get_session_auth_hash returns; password is the encoded one.
	// Default: Django's, with Keys.
	AuthHash func(u *djangocompat.User, password string) string
	// Passwords is the site's PASSWORD_HASHERS. Where it names no Django, nothing is encoded anew at a login:
	// two programs that disagree about the cost would end each other's sessions.
	Passwords djangocompat.HasherConfig
	// MaxHashing is how many passwords may wait for a processor; further logins get ErrBusy. Default: 64.
	MaxHashing int
	// Tries bounds the wrong passwords.
	Tries TryConfig
	// Permissions says how long it is remembered what users may do.
	Permissions PermissionConfig

	// PoolSize is the greatest number of connections. Default: 6.
	PoolSize int
	// QueryTimeout bounds a query, and the time that a lookup waits for its answer. Default: 2 s.
	QueryTimeout time.Duration
	// ConnectTimeout bounds the dialling of one connection. Default: 5 s.
	ConnectTimeout time.Duration
	// QueryExecMode is one of the Exec… modes. Default: ExecAuto.
	QueryExecMode string
	// MaxWaiting bounds the lookups that wait for a query; further ones fail with ErrUnavailable.
	// Default: 16384.
	MaxWaiting int

	// CacheAge is how long handshakes may use what was looked up, where Remember lets them. Default: not at all.
	CacheAge time.Duration
	// CacheBytes bounds what is remembered. Default: 16 MiB.
	CacheBytes int

	// Now is the clock of sessions. Default: time.Now.
	Now func() time.Time
	// Registerer takes the metrics. Default: none.
	Registerer prometheus.Registerer
	// Logger is told when the database goes away and when it comes back. Default: none.
	Logger *slog.Logger
}

// UserTable names the table and the columns of AUTH_USER_MODEL. The zero UserTable is auth_user. A column
// that is named here must exist; one with its default name may be missing, and then everybody is active
// and nobody is staff, as in Django.
type UserTable struct {
	Table    string // default: "auth_user"
	PK       string // default: "id"
	Username string // USERNAME_FIELD; default: "username"
	Password string // default: "password"

	IsActive    string
	IsStaff     string
	IsSuperuser string
	FirstName   string
	LastName    string
	Email       string
	LastLogin   string
	DateJoined  string

	// Extra are further columns to put into User.Extra.
	Extra []string
	// Where hides the rows whose columns have other values than these, as a model's default manager
	// may do: {"deleted": false}. A value is a bool, an integer, a text, or nil.
	Where map[string]any

	// Permissions names the tables of permissions and groups.
	Permissions PermissionTables
}

func (c Config) withDefaults() Config {
	c.SessionEngine = orDefault(c.SessionEngine, EngineDB)
	c.SessionCookieName = orDefault(c.SessionCookieName, "sessionid")
	c.SessionTable = orDefault(c.SessionTable, "django_session")
	c.Users.Table = orDefault(c.Users.Table, "auth_user")
	c.Users.PK = orDefault(c.Users.PK, "id")
	c.Users.Username = orDefault(c.Users.Username, "username")
	c.Users.Password = orDefault(c.Users.Password, "password")
	c.MaxSessionSize = orDefault(c.MaxSessionSize, 1<<20)
	c.CookieAge = orDefault(c.CookieAge, 14*24*time.Hour)
	c.Location = orDefault(c.Location, time.UTC)
	c.MaxHashing = orDefault(c.MaxHashing, 64)
	c.Tries = c.Tries.withDefaults()
	c.PoolSize = orDefault(c.PoolSize, 6)
	c.QueryTimeout = orDefault(c.QueryTimeout, 2*time.Second)
	c.ConnectTimeout = orDefault(c.ConnectTimeout, 5*time.Second)
	c.CacheBytes = orDefault(c.CacheBytes, 16<<20)
	c.MaxWaiting = orDefault(c.MaxWaiting, 16384)
	c.Permissions = c.Permissions.withDefaults()
	c.Logger = orDefault(c.Logger, slog.New(slog.DiscardHandler))
	if len(c.AuthenticationBackends) == 0 {
		c.AuthenticationBackends = []string{ModelBackend}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// check refuses what can be seen to be wrong without the database. It names the setting, never its value
// where that is a secret.
func (c Config) check() error {
	if c.Keys.IsZero() {
		return errors.New("sessionstore: secret_key is missing: it is SECRET_KEY of settings.py")
	}
	if _, err := djangocompat.NewPasswordHashers(c.Passwords); err != nil {
		return fmt.Errorf("sessionstore: password_hashers: %w", err)
	}
	if err := c.checkEngine(); err != nil {
		return err
	}
	modes := []string{ExecAuto, ExecCacheStatement, ExecCacheDescribe, ExecPlain}
	if !slices.Contains(modes, c.QueryExecMode) {
		return fmt.Errorf("sessionstore: query_exec_mode %q is none of cache_statement, cache_describe, exec", c.QueryExecMode)
	}
	for setting, n := range map[string]int64{
		"max_session_size": int64(c.MaxSessionSize), "pool_size": int64(c.PoolSize), "max_waiting": int64(c.MaxWaiting),
		"max_hashing": int64(c.MaxHashing), "query_timeout": int64(c.QueryTimeout), "connect_timeout": int64(c.ConnectTimeout),
		"session_cookie_age": int64(c.CookieAge),
	} {
		if n < 0 {
			return fmt.Errorf("sessionstore: %s is negative", setting)
		}
	}
	return errors.Join(checkName("schema", orDefault(c.Schema, "public")), checkName("session_table", c.SessionTable), c.Users.check(), c.Tokens.check())
}

func (u UserTable) check() error {
	names := map[string]string{
		"table": u.Table, "pk": u.PK, "username": u.Username, "password": u.Password,
	}
	for setting, name := range u.optional() {
		if name != "" {
			names[setting] = name
		}
	}
	for i, name := range append(slices.Clone(u.Extra), slices.Collect(maps.Keys(u.Where))...) {
		names[fmt.Sprintf("extra column %d", i+1)] = name
	}
	for _, setting := range slices.Sorted(maps.Keys(names)) {
		if err := checkName("user "+setting, names[setting]); err != nil {
			return err
		}
	}
	if err := u.Permissions.check(); err != nil {
		return err
	}
	for column, v := range u.Where {
		switch v.(type) {
		case nil, bool, int, int64, string:
		default:
			return fmt.Errorf("sessionstore: user where %q has a value of type %T: use a bool, an integer, a text or nil", column, v)
		}
	}
	return nil
}

// optional are the columns that a user model may do without, by their default names.
func (u UserTable) optional() map[string]string {
	return map[string]string{
		"is_active": u.IsActive, "is_staff": u.IsStaff, "is_superuser": u.IsSuperuser,
		"first_name": u.FirstName, "last_name": u.LastName, "email": u.Email,
		"last_login": u.LastLogin, "date_joined": u.DateJoined,
	}
}

// maxName is the length of the longest name that PostgreSQL does not cut off, in bytes.
const maxName = 63

// checkName refuses what is no name of a table or column.
func checkName(setting, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("sessionstore: %s is empty", setting)
	case len(name) > maxName:
		return fmt.Errorf("sessionstore: %s is longer than %d bytes", setting, maxName)
	case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
		return fmt.Errorf("sessionstore: %s holds a byte that no name may hold", setting)
	}
	return nil
}

// quote writes name as SQL does, so that nothing in it can be taken for SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
