package redislayer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// A Host is one server of a layer, or one master that Sentinels know. The zero Host is redis://localhost:6379.
// [ParseHost] reads the forms that Django has.
type Host struct {
	// Network is "tcp", "tls" or "unix". Default: "tcp".
	Network string

	// Address is where the server is, as in "localhost:6379" or "/run/redis.sock". Default: localhost:6379, unless
	// there are Sentinels.
	Address string

	// DB is the number of the database.
	DB int

	// Username and Password are what the server wants to hear.
	Username, Password string

	// CAFile holds the certificates that vouch for a server over TLS. Default: those of the system.
	CAFile string

	// SkipVerify lets any server over TLS pass, as Django's ssl_cert_reqs "none" does.
	SkipVerify bool

	// Sentinels are the addresses of the Sentinels to ask for the master called MasterName.
	Sentinels  []string
	MasterName string

	// SentinelUsername and SentinelPassword are what the Sentinels want to hear.
	SentinelUsername, SentinelPassword string
}

// ParseHost reads one of the "hosts" of CHANNEL_LAYERS: a URL as in "redis://:password@localhost:6379/0",
// "rediss://…" or "unix:///run/redis.sock?db=0"; a pair of host and port; a map with "address", with "host",
// "port", "db", "username", "password" and "ssl", or with "sentinels" and "master_name". An error shows no password.
//
// Python: RedisChannelLayer.decode_hosts.
func ParseHost(v any) (Host, error) {
	switch v := v.(type) {
	case string:
		return parseURL(v)
	case []any:
		return parsePair(v)
	case map[string]any:
		return parseMap(v)
	default:
		return Host{}, fmt.Errorf("redislayer: a host of type %T, want a URL, a pair of host and port, or a table", v)
	}
}

// String returns the host without its secrets.
func (h Host) String() string {
	h = h.withDefaults()
	if h.MasterName != "" {
		return "sentinel master " + h.MasterName
	}
	scheme := map[string]string{"tls": "rediss", "unix": "unix"}[h.Network]
	if scheme == "" {
		scheme = "redis"
	}
	return scheme + "://" + h.Address
}

// GoString keeps the secrets out of %#v too.
func (h Host) GoString() string { return h.String() }

func (h Host) withDefaults() Host {
	h.Network = orElse(h.Network, "tcp")
	if h.Address == "" && len(h.Sentinels) == 0 {
		h.Address = "localhost:6379"
	}
	return h
}

// parseURL reads a URL as redis-py does. What url.Parse says about a malformed one would show all of it.
func parseURL(raw string) (Host, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Host{}, errors.New("redislayer: a host's URL is malformed; a password in it must be percent-encoded")
	}
	var h Host
	switch u.Scheme {
	case "redis":
		h.Network = "tcp"
	case "rediss":
		h.Network = "tls"
	case "unix":
		h.Network, h.Address = "unix", u.Path
		if u.Path == "" {
			return Host{}, errors.New("redislayer: a host's unix:// URL names no path")
		}
	default:
		return Host{}, errors.New("redislayer: a host's URL begins neither with redis:// nor rediss:// nor unix://")
	}
	if u.User != nil {
		h.Username = u.User.Username()
		h.Password, _ = u.User.Password()
	}
	db := u.Query().Get("db")
	if h.Network != "unix" {
		h.Address = net.JoinHostPort(orElse(u.Hostname(), "localhost"), orElse(u.Port(), "6379"))
		if db == "" {
			db = strings.ReplaceAll(u.Path, "/", "")
		}
	}
	if db != "" {
		if h.DB, err = strconv.Atoi(db); err != nil || h.DB < 0 {
			return Host{}, errors.New("redislayer: the database in a host's URL is no number")
		}
	}
	h.CAFile = u.Query().Get("ssl_ca_certs")
	h.SkipVerify = u.Query().Get("ssl_cert_reqs") == "none"
	return h, nil
}

// parsePair reads [host, port].
func parsePair(pair []any) (Host, error) {
	if len(pair) == 2 {
		host, isString := pair[0].(string)
		port, isNumber := number(pair[1])
		if isString && isNumber {
			return Host{Network: "tcp", Address: net.JoinHostPort(host, strconv.Itoa(port))}, nil
		}
	}
	return Host{}, errors.New("redislayer: a host that is a list has not just a name and a port")
}

// number reads a whole number, of the types that configuration files yield.
func number(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), true
	case int:
		return v, true
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	default:
		return 0, false
	}
}

// option returns how rueidis reaches the host.
func (h Host) option() (rueidis.ClientOption, error) {
	h = h.withDefaults()
	o := rueidis.ClientOption{
		InitAddress: []string{h.Address}, Username: h.Username, Password: h.Password, SelectDB: h.DB,
	}
	if h.Network == "tls" {
		config, err := h.tlsConfig()
		if err != nil {
			return o, err
		}
		o.TLSConfig = config
	}
	if h.MasterName != "" {
		o.InitAddress = h.Sentinels
		o.Sentinel = rueidis.SentinelOption{
			MasterSet: h.MasterName, Username: h.SentinelUsername, Password: h.SentinelPassword, TLSConfig: o.TLSConfig,
		}
	}
	return o, nil
}

func (h Host) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: h.SkipVerify}
	if name, _, err := net.SplitHostPort(h.Address); err == nil {
		config.ServerName = name
	}
	if h.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(h.CAFile)
	if err != nil {
		return nil, fmt.Errorf("redislayer: read the certificates for %s: %w", h, err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("redislayer: %s holds no certificate", h.CAFile)
	}
	return config, nil
}
