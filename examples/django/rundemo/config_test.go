package main

import (
	"slices"
	"testing"

	"github.com/belleville/belleville/config"
)

// TestConfiguration shows that the file beside manage.py needs nothing from the environment.
func TestConfiguration(t *testing.T) {
	c, err := config.Load("../belleville.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, route := range c.Routes {
		paths = append(paths, route.Path+" "+route.Consumer+" "+route.Allow)
	}
	want := []string{"ws/chat/<slug:room>/ relay authenticated", "ws/whoami/ whoami anyone"}
	if !slices.Equal(paths, want) {
		t.Errorf("routes are %q, want %q", paths, want)
	}
}
