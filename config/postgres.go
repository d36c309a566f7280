package config

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/djangocompat"
)

// portVariable sets a key although Kubernetes has variables that look alike.
const portVariable = "BELLEVILLE_CHANNEL_LAYERS_DEFAULT_PORT"

// openPostgres opens the layer of channels_postgres.
func (c *Config) openPostgres(ctx context.Context, reg prometheus.Registerer, logger *slog.Logger) (Layer, error) {
	d := c.ChannelLayers.Default
	cfg := pglayer.Config{
		Database: c.LayerDatabase(), Prefix: d.Prefix,
		Capacity: d.Capacity, ChannelCapacity: d.ChannelCapacity,
		Expiry: time.Duration(d.Expiry), GroupExpiry: time.Duration(d.GroupExpiry),
		Registerer: reg, Logger: logger,
	}
	for _, k := range d.SymmetricEncryptionKeys {
		cfg.SymmetricEncryptionKeys = append(cfg.SymmetricEncryptionKeys, k.Reveal())
	}
	l, err := pglayer.New(ctx, cfg)
	if err != nil {
		return Layer{}, err
	}
	return Layer{Layer: l, Ready: l.Ready, Close: l.Close}, nil
}

// LayerDatabase returns where the channel layer has its tables, if it is one in Postgres and otherwise where it
// would: the site's own database.
func (c *Config) LayerDatabase() pglayer.Database {
	d := c.ChannelLayers.Default
	db := pglayer.Database{URL: d.URL, Name: d.Name, User: d.User, Password: d.Password, Host: d.Host, Port: d.Port}
	for name, v := range d.Options {
		if db.Options == nil {
			db.Options = make(map[string]string)
		}
		db.Options[name] = fmt.Sprint(v)
	}
	if db.URL.IsZero() && db.Name == "" && isPostgres(c.Django.DatabaseURL) {
		db.URL = c.Django.DatabaseURL
	}
	return db
}

func isPostgres(databaseURL djangocompat.Secret) bool {
	scheme, _, _ := strings.Cut(databaseURL.Reveal(), "://")
	return scheme == "postgres" || scheme == "postgresql" || scheme == "pgsql" || scheme == "postgis"
}

// postgresLayer checks what CONFIG says of the database, and sets what has another default there.
func (l *loader) postgresLayer() {
	const at = "channel_layers.default."
	d := &l.config.ChannelLayers.Default
	if d.Backend != postgresBackend {
		for _, key := range []string{"engine", "url", "name", "user", "password", "host", "port", "options"} {
			if l.wasGiven(at+key) && l.config.ChannelLayers.Default.names(key) {
				l.mistakes.add(at+key, "this layer has no database", "take it out, or name "+quote(postgresBackend)+" as the backend")
			}
		}
		return
	}
	if !l.wasGiven(at + "group_expiry") {
		d.GroupExpiry = 0
	}
	if d.GroupExpiry < 0 {
		l.mistakes.add(at+"group_expiry", "it is below 0", "write 0 for memberships that last for ever")
	}
	if d.Engine != "" {
		l.only(at+"engine", d.Engine, "django.db.backends.postgresql", "django.db.backends.postgresql_psycopg2", "django.contrib.gis.db.backends.postgis")
	}
	if len(d.Hosts) > 0 {
		l.mistakes.add(at+"hosts", "the layer in Postgres has one host", "write it as "+at+"host")
	}
	if d.SerializerFormat != "msgpack" {
		l.mistakes.add(at+"serializer_format", "channels_postgres writes msgpack alone", "take it out")
	}
	path := at + "url"
	if d.URL.IsZero() {
		path = at + "name"
	}
	if err := l.config.LayerDatabase().Check(); err != nil && !l.mistakes.has(path) {
		l.mistakes.add(path, strings.TrimPrefix(err.Error(), "pglayer: "), "compare it with the site's CONFIG")
	}
	if d.URL.IsZero() && d.Name == "" && !isPostgres(l.config.Django.DatabaseURL) {
		l.mistakes.add(path, "it is missing", "copy NAME, USER, PASSWORD, HOST and PORT from the site's CONFIG, or write "+at+"url")
	}
}

// names reports whether a key that names the database says something.
func (d ChannelLayer) names(key string) bool {
	switch key {
	case "url":
		return !d.URL.IsZero()
	case "name":
		return d.Name != ""
	default:
		return false
	}
}
