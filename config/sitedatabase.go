package config

import "github.com/belleville/belleville/channellayer/pglayer"

// SiteInPostgres reports whether the site's own database is in PostgreSQL.
func (c *Config) SiteInPostgres() bool { return isPostgres(c.Django.DatabaseURL) }

// LayerInPostgres reports whether the channel layer is in PostgreSQL.
func (c *Config) LayerInPostgres() bool { return c.ChannelLayers.Default.Backend == postgresBackend }

// SiteDatabase returns the site's own database, for what is made in it beside Django's tables.
func (c *Config) SiteDatabase() pglayer.Database {
	return pglayer.Database{URL: c.Django.DatabaseURL}
}
