package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// later are the values that Django knows and this version does not.
var later = []string{
	"channels_rabbitmq.core.RabbitmqChannelLayer",
}

// only notes a value that is none of those that this version can do.
func (l *loader) only(path, value string, possible ...string) {
	quoted := make([]string, len(possible))
	for i, p := range possible {
		quoted[i] = quote(p)
	}
	verb := " is possible"
	if len(possible) > 1 {
		verb = " are possible"
	}
	switch {
	case slices.Contains(possible, value) || l.mistakes.has(path):
	case slices.Contains(later, value):
		l.mistakes.add(path, quote(value)+" is not in this version", "only "+strings.Join(quoted, ", ")+verb)
	default:
		l.mistakes.add(path, quote(value)+" is not known", "write "+strings.Join(quoted, " or "))
	}
}

// django checks the keys, the database's address, and who may connect from where.
func (l *loader) django() {
	d := l.config.Django
	if d.SecretKey.IsZero() && !l.mistakes.has("django.secret_key") && !l.mistakes.has("django.secret_key_file") {
		l.mistakes.add("django.secret_key", "it is missing", "copy SECRET_KEY from the site's settings, or name a file in django.secret_key_file, or set BELLEVILLE_DJANGO_SECRET_KEY")
	}
	for i, k := range d.SecretKeyFallbacks {
		path := "django.secret_key_fallbacks[" + strconv.Itoa(i) + "]"
		if k.IsZero() && !l.mistakes.has(path) {
			l.mistakes.add(path, "it is empty", "copy SECRET_KEY_FALLBACKS from the site's settings")
		}
	}
	l.databaseURL()
	if len(d.AllowedHosts) == 0 && len(d.AllowedOrigins) == 0 && !d.Debug && !l.mistakes.has("django.allowed_hosts") && !l.mistakes.has("django.allowed_origins") {
		l.mistakes.add("django.allowed_hosts", "neither it nor django.allowed_origins says which sites may connect", "copy ALLOWED_HOSTS from the site's settings")
	}
	for i, h := range d.AllowedHosts {
		l.host("django.allowed_hosts["+strconv.Itoa(i)+"]", h)
	}
	for i, o := range d.AllowedOrigins {
		l.origin("django.allowed_origins["+strconv.Itoa(i)+"]", o)
	}
	if len(d.AuthenticationBackends) == 0 && !l.mistakes.has("django.authentication_backends") {
		l.mistakes.add("django.authentication_backends", "it is empty, so nobody would be logged in", "copy AUTHENTICATION_BACKENDS from the site's settings")
	}
	for i, b := range d.AuthenticationBackends {
		if !isDotted(b) {
			l.mistakes.add("django.authentication_backends["+strconv.Itoa(i)+"]", quote(b)+" is no dotted path", "write it as in the site's settings")
		}
	}
	for i, b := range d.InactiveBackends {
		if !slices.Contains(d.AuthenticationBackends, b) {
			l.mistakes.add("django.inactive_backends["+strconv.Itoa(i)+"]", quote(b)+" is not in django.authentication_backends", "take it out, or add it there")
		}
	}
	if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "" || d.TimeZone == "Local" {
		l.mistakes.add("django.time_zone", quote(d.TimeZone)+" is no time zone", "copy TIME_ZONE from the site's settings")
	}
}

// databaseURL checks the scheme; the rest is the store's business, and may hold a password.
func (l *loader) databaseURL() {
	path := "django.database_url"
	url := l.config.Django.DatabaseURL.Reveal()
	scheme, _, ok := strings.Cut(url, "://")
	switch {
	case l.mistakes.has(path):
	case url == "" && l.config.usesDatabase() == "":
	case url == "":
		l.mistakes.add(path, "it is missing, and "+l.config.usesDatabase(), `write where the site's database is, as in "postgres://user:password@host/name" or "sqlite:///path/db.sqlite3"`)
	case !ok:
		l.mistakes.add(path, "it is no URL", `write "postgres://user:password@host/name" or "sqlite:///path/db.sqlite3"`)
	case slices.Contains([]string{"mysql", "mysql2", "mariadb", "oracle", "mssql", "cockroach"}, scheme):
		l.mistakes.add(path, "databases of the kind "+quote(scheme)+" are not supported", "only PostgreSQL and SQLite are")
	case !slices.Contains([]string{"postgres", "postgresql", "pgsql", "postgis", "sqlite", "sqlite3", "spatialite"}, scheme):
		l.mistakes.add(path, "its scheme is not known", `begin it with "postgres://" or "sqlite:///"`)
	}
}

// hostName matches a name in ALLOWED_HOSTS.
var hostName = regexp.MustCompile(`^\.?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// host checks an entry of ALLOWED_HOSTS.
func (l *loader) host(path, h string) {
	switch {
	case l.mistakes.has(path) || h == "*" || hostName.MatchString(h) || isIPv6(h):
	case strings.Contains(h, "://"):
		l.mistakes.add(path, quote(h)+" has a scheme", "write the host alone, or put it into django.allowed_origins")
	case strings.HasPrefix(h, "*."):
		l.mistakes.add(path, quote(h)+" matches nothing: Django has no such wildcard", `write ".example.com" for a domain and all below it`)
	case strings.Contains(h, ":"):
		l.mistakes.add(path, quote(h)+" has a port", "write the host alone: every port is allowed")
	default:
		l.mistakes.add(path, quote(h)+" is no host", `write "example.com", ".example.com" or "*"`)
	}
}

// isIPv6 reports whether h is an IPv6 address in brackets.
func isIPv6(h string) bool {
	inner, ok := strings.CutPrefix(h, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	a, err := netip.ParseAddr(inner)
	return ok && closed && err == nil && a.Is6() && a.Zone() == ""
}

// origin checks an entry of allowed_origins, for which Channels has three traps.
func (l *loader) origin(path, o string) {
	scheme, rest, hasScheme := strings.Cut(strings.TrimSuffix(o, "/"), "://")
	host, port := rest, ""
	if !hasScheme {
		host = o
	} else if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		host, port = rest[:i], rest[i+1:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case l.mistakes.has(path) || o == "*":
	case strings.Contains(host, "*"):
		l.mistakes.add(path, quote(o)+" matches nothing: the only wildcard is a lone *", `write "https://.example.com" for a domain and all below it`)
	case !hasScheme && strings.Contains(host, ":") && !isIPv6(host):
		l.mistakes.add(path, quote(o)+" matches nothing: it has a port and no scheme", `write "https://host:port", or the host alone for every port`)
	case strings.ContainsAny(rest, "/?#@"):
		l.mistakes.add(path, quote(o)+" is more than an origin", `write scheme, host and port alone, as in "https://example.com"`)
	case hasScheme && (scheme == "" || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != ""):
		l.mistakes.add(path, quote(o)+" has an odd scheme", `write it as in "https://example.com"`)
	case port != "" && (err != nil || n == 0), strings.HasSuffix(rest, ":"):
		l.mistakes.add(path, quote(o)+" has an odd port", `write it as in "https://example.com:8443"`)
	case !hostName.MatchString(host) && !isIPv6(host):
		l.mistakes.add(path, quote(o)+" names no host", `write "https://example.com", "example.com", ".example.com" or "*"`)
	}
}

// cookieName matches the name of a cookie. RFC 6265 §4.1.1: a token.
var cookieName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// sessions checks the SESSION_… settings.
func (l *loader) sessions() {
	d := l.config.Django
	l.sessionEngine()
	if _, err := djangocompat.ParseSerializer(d.SessionSerializer); err != nil && !l.mistakes.has("django.session_serializer") {
		l.mistakes.add("django.session_serializer", quote(d.SessionSerializer)+" is not Django's, and only its own code knows what it writes",
			"write "+quote(djangocompat.JSONSerializer.String())+" or "+quote(djangocompat.PickleSerializer.String())+", as the site has it, or let the site use one of them")
	}
	l.positive("django.session_cookie_age", int64(d.SessionCookieAge))
	l.enumerated("django.session_cookie_samesite", d.SessionCookieSameSite, "Lax", "Strict", "None", "")
	l.identifier("django.session_table", d.SessionTable)
	if !cookieName.MatchString(d.SessionCookieName) && !l.mistakes.has("django.session_cookie_name") {
		l.mistakes.add("django.session_cookie_name", quote(d.SessionCookieName)+" is no name of a cookie", "copy SESSION_COOKIE_NAME from the site's settings")
	}
	if d.SessionCookieSameSite == "None" && !d.SessionCookieSecure {
		l.mistakes.add("django.session_cookie_secure", `browsers refuse a cookie that is SameSite "None" and not secure`, "set it to true")
	}
	if d.SessionSalt == "" && !l.mistakes.has("django.session_salt") {
		l.mistakes.add("django.session_salt", "it is empty", `take it out, or write "django.contrib.sessions." and the name of the site's SessionStore class`)
	}
	for path, v := range map[string]string{"django.session_cookie_domain": d.SessionCookieDomain, "django.session_cookie_path": d.SessionCookiePath} {
		if strings.ContainsAny(v, ";,\r\n\x00 ") {
			l.mistakes.add(path, quote(v)+" is no part of a cookie", "copy it from the site's settings")
		}
	}
}

// userTable checks the names of AUTH_USER_MODEL.
func (l *loader) userTable() {
	u := l.config.Django.User
	for _, n := range []struct{ key, name string }{
		{"table", u.Table}, {"pk", u.PK}, {"username", u.Username}, {"password", u.Password},
	} {
		l.identifier("django.user."+n.key, n.name)
	}
	for _, n := range []struct{ key, name string }{
		{"is_active", u.IsActive},
		{"is_staff", u.IsStaff},
		{"is_superuser", u.IsSuperuser},
		{"first_name", u.FirstName},
		{"last_name", u.LastName},
		{"email", u.Email},
		{"last_login", u.LastLogin},
		{"date_joined", u.DateJoined},
		{"permission_table", u.PermissionTable},
		{"content_type_table", u.ContentTypeTable},
		{"group_table", u.GroupTable},
		{"group_permissions_table", u.GroupPermissionsTable},
		{"user_groups_table", u.UserGroupsTable},
		{"user_permissions_table", u.UserPermissionsTable},
		{"user_column", u.UserColumn},
	} {
		if n.name != "" {
			l.identifier("django.user."+n.key, n.name)
		}
	}
	for i, c := range u.Columns {
		l.identifier("django.user.columns["+strconv.Itoa(i)+"]", c)
	}
	for c := range u.Where {
		l.identifier("django.user.where."+plain(c), c)
	}
}

// maxIdentifier is how long a name is in PostgreSQL, in bytes.
const maxIdentifier = 63

// identifier checks the name of a table or column. It is quoted wherever it is used.
func (l *loader) identifier(path, name string) {
	if name == "" || len(name) > maxIdentifier || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		if !l.mistakes.has(path) {
			l.mistakes.add(path, quote(name)+" is no name of a table or column", "write 1 to 63 characters")
		}
	}
}

// isDotted reports whether s is a dotted path of Python.
func isDotted(s string) bool {
	return s != "" && len(s) < 256 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == "" &&
		!strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}

// database checks how the database is used.
func (l *loader) database() {
	d := l.config.Database
	l.positive("database.pool_size", int64(d.PoolSize))
	l.positive("database.connect_timeout", int64(d.ConnectTimeout))
	l.positive("database.query_timeout", int64(d.QueryTimeout))
	l.positive("database.max_waiting", int64(d.MaxWaiting))
	l.positive("database.max_session_size", int64(d.MaxSessionSize))
	l.enumerated("database.query_exec_mode", d.QueryExecMode,
		sessionstore.ExecAuto, sessionstore.ExecCacheStatement, sessionstore.ExecCacheDescribe, sessionstore.ExecPlain)
	if d.Schema != "" {
		l.identifier("database.schema", d.Schema)
	}
}
