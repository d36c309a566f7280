package sessionstore

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// databaseURL is a DATABASE_URL, taken apart. It holds a password: neither it nor a part of it is printed.
type databaseURL struct {
	scheme   string
	user     string
	password string
	hosts    []string // each with its port, if it names one
	name     string   // of the database, or the path of the file
	options  url.Values
}

// The kinds of database, by the schemes that dj-database-url has for them.
var (
	postgresSchemes = []string{"postgres", "postgresql", "pgsql", "postgis"}
	sqliteSchemes   = []string{"sqlite", "sqlite3", "spatialite"}
)

// parseDatabaseURL takes text apart as dj-database-url does. Its errors quote nothing but the scheme.
func parseDatabaseURL(text string) (databaseURL, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme == "" || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" {
		return databaseURL{}, errors.New(`sessionstore: database_url is no URL: it begins with "postgres://" or "sqlite:///"`)
	}
	u := databaseURL{scheme: scheme}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	var err error
	if u.options, err = url.ParseQuery(query); err != nil {
		return databaseURL{}, errors.New(`sessionstore: database_url has bad options after the "?"`)
	}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		authority = authority[at+1:]
		if u.user, err = url.PathUnescape(user); err != nil {
			return databaseURL{}, errBadEscape
		}
		if u.password, err = url.PathUnescape(password); err != nil {
			return databaseURL{}, errBadEscape
		}
	}
	if u.name, err = url.PathUnescape(path); err != nil {
		return databaseURL{}, errBadEscape
	}
	if strings.ContainsRune(u.user+u.password+u.name, 0) {
		return databaseURL{}, errors.New("sessionstore: database_url holds a NUL")
	}
	return u, u.parseHosts(authority)
}

var errBadEscape = errors.New(`sessionstore: database_url has a "%" that is followed by no two hexadecimal digits; write "%25" for a "%"`)

func (u *databaseURL) parseHosts(authority string) error {
	if authority == "" {
		return nil
	}
	for host := range strings.SplitSeq(authority, ",") {
		host, err := url.PathUnescape(host) // a unix socket is written as %2Fvar%2Frun%2Fpostgresql
		if err != nil {
			return errBadEscape
		}
		if port := portOf(host); port != "" {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return errors.New("sessionstore: database_url has a port that is no number from 1 to 65535")
			}
		}
		u.hosts = append(u.hosts, host)
	}
	return nil
}

// portOf returns the text after the last colon, unless that is part of an IPv6 address.
func portOf(host string) string {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return ""
	}
	return host[colon+1:]
}

// split returns host and port; a port that is not named is 5432.
func split(host string) (name, port string) {
	if port = portOf(host); port != "" || strings.HasSuffix(host, ":") {
		host = strings.TrimSuffix(host, ":"+port)
	}
	if port == "" {
		port = "5432"
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
}

// local reports whether a connection to host stays on this machine.
func local(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// libpqOnly are options that psycopg hands to libpq and that mean nothing here: pgx would send them to the
// server, which refuses them.
var libpqOnly = []string{
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	"gssencmode", "sslcompression", "client_encoding", "conn_max_age", "conn_health_checks",
	"disable_server_side_cursors",
}

// keywords returns what pgx needs to know as keywords and values, and whether the connection is to be
// unverified although it leaves this machine.
func (u databaseURL) keywords() (text string, unverified bool) {
	values := map[string]string{"user": u.user, "password": u.password, "dbname": u.name, "application_name": "belleville"}
	var hosts, ports []string
	for _, host := range u.hosts {
		name, port := split(host)
		hosts, ports = append(hosts, name), append(ports, port)
	}
	values["host"], values["port"] = strings.Join(hosts, ","), strings.Join(ports, ",")
	for key := range u.options {
		values[key] = u.options.Get(key)
	}
	for _, key := range libpqOnly {
		delete(values, key)
	}
	away := false
	for host := range strings.SplitSeq(values["host"], ",") {
		away = away || !local(host)
	}
	switch mode := values["sslmode"]; {
	case mode == "" && away:
		values["sslmode"] = "verify-full"
	case mode == "":
		values["sslmode"] = "prefer"
	default:
		unverified = away && mode != "verify-full"
	}
	var b strings.Builder
	for key, value := range values {
		if value != "" {
			fmt.Fprintf(&b, "%s='%s' ", key, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
		}
	}
	return b.String(), unverified
}
