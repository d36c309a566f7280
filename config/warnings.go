package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Warnings returns what is possible but hardly meant, each in a line that begins with the key.
func (c *Config) Warnings() []string {
	d := c.Django
	var lines []string
	warn := func(line string, when bool) {
		if when {
			lines = append(lines, line)
		}
	}
	warn("routes: there are none, so every path is answered with 404", len(c.Routes) == 0)
	warn("django.debug: it is true, which is for development", d.Debug)
	warn(`django.allowed_origins: "*" lets the pages of any site connect with a visitor's login`,
		slices.Contains(d.AllowedOrigins, "*"))
	warn(`django.allowed_hosts: "*" lets the pages of any site connect with a visitor's login; name the site in django.allowed_origins`,
		slices.Contains(d.AllowedHosts, "*") && len(d.AllowedOrigins) == 0)
	warn("django.secret_key: Django made it for development", !d.Debug && strings.HasPrefix(d.SecretKey.Reveal(), "django-insecure-"))
	warn("django.database_url: it is missing, so users cannot be looked up and everybody is anonymous", d.DatabaseURL.IsZero())
	if path := d.sqliteFile(); path != "" {
		_, err := os.Stat(path)
		warn("django.database_url: there is no file "+quote(path)+" yet; a relative path starts at the folder that this program was started in",
			errors.Is(err, fs.ErrNotExist))
	}
	warn("tokens: one that is no ticket comes in the query, which proxies and browsers write into their logs",
		slices.ContainsFunc(c.Tokens, func(t Token) bool { return t.Kind != ticketKind && slices.Contains(t.From, "query") }))
	warn("admin_listen: other machines reach it, and it asks nobody who he is", c.AdminListen != "" && !loopback(c.AdminListen))
	warn("debug_listen: other machines reach it, and a profile holds secrets", c.DebugListen != "" && !loopback(c.DebugListen))
	if line := c.certificateWarning(); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// sqliteFile returns the file of an SQLite database, "" for any other.
func (d Django) sqliteFile() string {
	path, ok := strings.CutPrefix(d.DatabaseURL.Reveal(), "sqlite:///")
	if !ok {
		return ""
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}
