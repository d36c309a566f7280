package pglayer

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/belleville/belleville/djangocompat"
)

// Database says where Postgres is, as an entry of Django's DATABASES does. What is empty everywhere is what libpq
// takes: the environment's PGHOST and the like, or the unix socket.
type Database struct {
	// URL names everything at once, as in postgres://user:password@127.0.0.1:5432/site?sslmode=disable. The other
	// fields count for more.
	URL djangocompat.Secret

	Name     string
	User     string
	Password djangocompat.Secret
	// Host is a name, an address, or the folder of a unix socket.
	Host string
	Port string
	// Options are what Django calls so: sslmode, sslrootcert and other parameters of libpq. Without sslmode the
	// certificate of a host that is not this machine is verified, as with verify-full.
	Options map[string]string
}

// Check returns an error that says why no connection can be tried. It shows no secret.
func (d Database) Check() error {
	_, err := d.parse()
	return err
}

// parse returns what pgx needs to know.
func (d Database) parse() (*pgxpool.Config, error) {
	d, err := d.withURL()
	if err != nil {
		return nil, err
	}
	words := d.keywords()
	if strings.ContainsRune(words, 0) {
		return nil, errors.New("pglayer: there is a NUL in how the database is named")
	}
	pc, err := pgxpool.ParseConfig(words)
	if err != nil { // it may show a password
		return nil, errors.New("pglayer: the port, or an option such as sslmode or sslrootcert, is not one that libpq takes")
	}
	return pc, nil
}

// withURL returns d with what is empty taken from the URL.
func (d Database) withURL() (Database, error) {
	if d.URL.IsZero() {
		return d, nil
	}
	u, err := url.Parse(d.URL.Reveal())
	if err != nil || !slices.Contains([]string{"postgres", "postgresql", "pgsql", "postgis"}, u.Scheme) {
		return d, errors.New(`pglayer: the URL is none as in "postgres://user:password@127.0.0.1:5432/site"; write "%25" for a "%"`)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return d, errors.New(`pglayer: the URL has bad options after the "?"`)
	}
	d.Name = orElse(d.Name, strings.TrimPrefix(u.Path, "/"))
	d.Host, d.Port = orElse(d.Host, u.Hostname()), orElse(d.Port, u.Port())
	d.User = orElse(d.User, u.User.Username())
	if password, ok := u.User.Password(); ok && d.Password.IsZero() {
		d.Password = djangocompat.NewSecret(password)
	}
	options := make(map[string]string)
	for key := range query {
		options[key] = query.Get(key)
	}
	maps.Copy(options, d.Options)
	d.Options = options
	return d, nil
}

// djangoOnly are options that mean nothing here: pgx would send them to the server, which refuses them.
var djangoOnly = []string{
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode",
	"sslcompression", "client_encoding", "isolation_level", "server_side_binding", "pool", "assume_role",
}

// keywords returns the database in libpq's own words.
func (d Database) keywords() string {
	values := map[string]string{
		"application_name": "belleville", "dbname": d.Name, "user": d.User, "password": d.Password.Reveal(),
	}
	maps.Copy(values, d.Options)
	values["host"] = orElse(d.Host, values["host"])
	values["port"] = orElse(d.Port, values["port"])
	if values["sslmode"] == "" && values["host"] != "" {
		values["sslmode"] = "prefer"
		if !isLocal(values["host"]) {
			values["sslmode"] = "verify-full"
		}
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if values[key] != "" && !slices.Contains(djangoOnly, key) {
			b.WriteString(key + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(values[key]) + "' ")
		}
	}
	return b.String()
}

// isLocal reports whether a connection to a host stays on this machine.
func isLocal(host string) bool {
	if host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Connect opens one connection to the database, which the caller closes. Its error shows no secret and no name.
func (d Database) Connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := d.parse()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, unavailable(err)
	}
	return conn, nil
}
