package channellayer_test

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer"
)

func TestNameErrors(t *testing.T) {
	tests := []struct {
		name string
		bad  string
		want string
	}{
		{"control characters are quoted", "a\n\x1b[31m", `channellayer: invalid name: group "a\n\x1b[31m"`},
		{"what is not ASCII is quoted", "é\u202e", `channellayer: invalid name: group "\u00e9\u202e"`},
		{
			"a long name is cut", strings.Repeat("x", 5000),
			`channellayer: invalid name: group "` + strings.Repeat("x", 32) + `"… (5000 bytes)`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := channellayer.CheckGroupName(tt.bad)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %q, want %q", err, tt.want)
			}
		})
	}
}

func TestNonLocalName(t *testing.T) {
	tests := []struct {
		name    string
		channel string
		want    string
		local   bool
	}{
		{"a plain name is all of itself", "thumbnails", "thumbnails", false},
		{"a process's own ends with the mark", "specific.9f31c0!1a", "specific.9f31c0!", true},
		{"the first mark counts", "a!b!c", "a!", true},
		{"nothing may follow the mark", "a!", "a!", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := channellayer.NonLocalName(tt.channel); got != tt.want {
				t.Errorf("NonLocalName(%q) = %q, want %q", tt.channel, got, tt.want)
			}
			if got := channellayer.IsLocal(tt.channel); got != tt.local {
				t.Errorf("IsLocal(%q) = %v, want %v", tt.channel, got, tt.local)
			}
		})
	}
}

func TestCapacities(t *testing.T) {
	c := channellayer.NewCapacities(100, []channellayer.Capacity{
		{Glob: "http.response!*", Capacity: 10},
		{Glob: "jobs.big", Capacity: 5},
		{Glob: "jobs.*", Capacity: 50},
		{Glob: "jobs.small", Capacity: 1},
	})
	tests := []struct {
		name    string
		channel string
		want    int
	}{
		{"a glob covers the whole name", "http.response!abc", 10},
		{"half a match is none", "http.response", 100},
		{"the first match counts", "jobs.big", 5},
		{"a later match does not count", "jobs.small", 50},
		{"without a match the fallback counts", "chat", 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.Of(tt.channel); got != tt.want {
				t.Errorf("Of(%q) = %d, want %d", tt.channel, got, tt.want)
			}
		})
	}
}

// TestGlobTime would not end if stars were tried in all combinations.
func TestGlobTime(t *testing.T) {
	c := channellayer.NewCapacities(0, []channellayer.Capacity{{Glob: strings.Repeat("a*", 40) + "b", Capacity: 1}})
	if got := c.Of(strings.Repeat("a", channellayer.MaxName)); got != 0 {
		t.Errorf("got capacity %d, want 0", got)
	}
}
