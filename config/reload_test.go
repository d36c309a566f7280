package config_test

import (
	"slices"
	"testing"

	"github.com/belleville/belleville/config"
)

func TestReloaded(t *testing.T) {
	parse := func(text string) *config.Config {
		c, err := config.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	columns := "[django.user]\ncolumns = [\"team\"]\n"
	tests := []struct {
		name    string
		before  string
		next    string
		restart []string
		mistake string
	}{
		{"nothing", good, good, nil, ""},
		{"a route", good, route(`path = "a"`, `consumer = "echo"`), nil, ""},
		{"a route of no path", good, route(`path = ""`, `consumer = "echo"`), nil, ""},
		{"a limit", good, good + "[limits]\nmax_message = 10", nil, ""},
		{"an origin", good, with(`allowed_origins = ["https://example.com"]`), nil, ""},
		{"proxies", good, `trusted_proxies = ["10.0.0.0/8"]` + "\nproxy_protocol = true" + good, nil, ""},
		{"an address", good, `listen = ":1"` + good, []string{"listen"}, ""},
		{"a limit that is made at the start", good, good + "[limits]\nloops = 3\nmax_hashing = 2", []string{"limits.loops", "limits.max_hashing"}, ""},
		{"the secret key", good, without("secret_key") + `secret_key = "another"` + "\nsecret_key_fallbacks = [\"the old one\"]", nil, ""},
		{"how tokens and sessions go together", good, good + "[authentication]\nfirst = \"token\"", nil, ""},
		{"a column of users", good, columns + good, []string{"django.user.columns"}, ""},
		{"the log", good, good + "[log]\nlevel = \"debug\"", []string{"log.level"}, ""},
		{"a cache of another name", good, good + "[django.caches.sessions]\nbackend = \"django.core.cache.backends.db.DatabaseCache\"\nlocation = \"t\"", []string{"django.caches"}, ""},
		{
			"a route that needs what counts later", good, columns + route(`path = "a"`, `consumer = "relay"`, `groups = ["x_{user.team}"]`),
			[]string{"django.user.columns"},
			`routes[0].groups[0]: `,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, next := parse(tt.before), parse(tt.next)
			merged, restart, err := before.Reloaded(next)
			if !slices.Equal(restart, tt.restart) {
				t.Errorf("after a restart: %v, want %v", restart, tt.restart)
			}
			if tt.mistake != "" {
				if err == nil || err.Error()[:len(tt.mistake)] != tt.mistake {
					t.Errorf("= %v, want %s…", err, tt.mistake)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again, rest, err := merged.Reloaded(next)
			if err != nil || !slices.Equal(rest, tt.restart) {
				t.Errorf("once more: %v, %v", rest, err)
			}
			if tt.restart == nil && again.Limits != next.Limits {
				t.Errorf("limits = %+v, want %+v", again.Limits, next.Limits)
			}
			if merged.Listen[0] != before.Listen[0] || !slices.Equal(merged.Django.User.Columns, before.Django.User.Columns) {
				t.Error("what counts after a restart was taken over")
			}
			if merged.Django.SecretKey.Reveal() != next.Django.SecretKey.Reveal() || merged.Authentication != next.Authentication {
				t.Error("what counts at once was not taken over")
			}
		})
	}
}
