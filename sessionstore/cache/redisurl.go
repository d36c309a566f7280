package cache

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// redisURL is where a Redis is.
type redisURL struct {
	scheme             string // redis, rediss, unix
	address            string
	username, password string
	db                 int
	caFile             string
	skipVerify         bool
}

// parseURL reads a URL as redis-py does. An error shows nothing of it.
func parseURL(raw string) (redisURL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return redisURL{}, errLocation
	}
	query := u.Query()
	r := redisURL{scheme: u.Scheme, caFile: query.Get("ssl_ca_certs"), skipVerify: query.Get("ssl_cert_reqs") == "none"}
	if u.User != nil {
		r.username = u.User.Username()
		r.password, _ = u.User.Password()
	}
	db := query.Get("db")
	switch u.Scheme {
	case "unix":
		r.address = u.Path
	case "redis", "rediss":
		r.address = net.JoinHostPort(orDefault(u.Hostname(), "localhost"), orDefault(u.Port(), "6379"))
		db = orDefault(db, strings.Trim(u.Path, "/"))
	default:
		return redisURL{}, errLocation
	}
	if db != "" {
		r.db, err = strconv.Atoi(db)
	}
	if err != nil || r.db < 0 || r.address == "" {
		return redisURL{}, errLocation
	}
	return r, nil
}

// firstWord is the word by which Redis tells its errors apart.
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}
