package config_test

import (
	"testing"
	"time"

	"github.com/belleville/belleville/config"
)

// postgresLayer is a configuration whose layer is in Postgres, and whose users are not.
const postgresLayer = "[django]\nsecret_key = \"k\"\nallowed_hosts = [\"h\"]\ndatabase_url = \"sqlite:////x\"\n[channel_layers.default]\nbackend = \"channels_postgres.core.PostgresChannelLayer\"\n"

func TestPostgresLayer(t *testing.T) {
	const expiry = "group_expiry = 5\n"
	tests := []struct {
		name   string
		text   string
		expiry time.Duration
		host   string
	}{
		{"memberships last for ever, as in channels_postgres", postgresLayer + "NAME = \"site\"\nHOST = \"db\"", 0, "db"},
		{"unless the site says otherwise", postgresLayer + "name = \"site\"\n" + expiry, 5 * time.Second, ""},
		{"for ever may be written", postgresLayer + "name = \"site\"\ngroup_expiry = 0", 0, ""},
		{"a URL is enough", postgresLayer + "url = \"postgres://u:p@db:5433/site\"", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse([]byte(tt.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Duration(c.ChannelLayers.Default.GroupExpiry); got != tt.expiry {
				t.Errorf("group_expiry = %v, want %v", got, tt.expiry)
			}
			if got := c.LayerDatabase().Host; got != tt.host {
				t.Errorf("host = %q, want %q", got, tt.host)
			}
		})
	}
}

func TestPostgresLayerInTheSitesDatabase(t *testing.T) {
	const text = "[django]\nsecret_key = \"k\"\nallowed_hosts = [\"h\"]\ndatabase_url = \"postgres://u:p@h/site\"\n[channel_layers.default]\nbackend = \"channels_postgres.core.PostgresChannelLayer\"\n"
	c, err := config.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.LayerDatabase().URL.Reveal(); got != "postgres://u:p@h/site" {
		t.Error("the layer's database is not the site's")
	}
}
