// Package layertest is the suite that every channel layer passes: what is promised at [channellayer.Layer] and
// [channellayer.Listener], a subtest per promise.
//
// Start with [Run]. A layer that time passes for in testing/synctest takes [RunInBubble].
package layertest

import (
	"cmp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// An Open makes the layer for one subtest, empty, and ends it with t.Cleanup.
type Open func(t *testing.T, s Setup) Bus

// Setup is what a subtest asks of its layer. It leaves nothing at zero.
type Setup struct {
	// Nodes is how many processes are on the bus.
	Nodes int

	// Capacity, Capacities, Expiry and GroupExpiry are what every layer's Config has under these names.
	Capacity    int
	Capacities  []channellayer.Capacity
	Expiry      time.Duration
	GroupExpiry time.Duration
}

// A Bus is a layer with the processes on it.
type Bus struct {
	// Nodes are the ends of the layer, one a process. A layer that has no other processes gives the same one
	// several times.
	Nodes []channellayer.Layer

	// Advance lets time pass for the layer, at least as much as it is told; a few seconds at most are
	// asked for. RunInBubble does not use it.
	Advance func(time.Duration)

	// Poison puts bytes on a channel, or in a group's way, as a peer would put a message: without being what a message
	// should be. Where it is nil, nothing but events can come, and what is promised of poison is skipped.
	Poison func(t *testing.T, channel string, message []byte)

	// Unkept names promises that the layer's protocol cannot keep, each with the reason, with which
	// its subtest is skipped.
	Unkept map[string]string
}

// promise is something that every layer promises.
type promise struct {
	name  string
	keeps func(b *bench)
	setup Setup // its zero fields are those of defaultSetup
}

// defaultSetup suits most promises: nothing ends by itself, however busy the machine is.
func defaultSetup() Setup {
	return Setup{Nodes: 2, Capacity: 100, Expiry: time.Minute, GroupExpiry: time.Minute}
}

// Those promises that are about the end of something have these. Redis counts in whole seconds.
const (
	shortExpiry      = 2 * time.Second
	shortGroupExpiry = 4 * time.Second
)

// setupOf returns what a promise needs, and for the rest the default.
func (p promise) setupOf() Setup {
	s := defaultSetup()
	s.Capacity = cmp.Or(p.setup.Capacity, s.Capacity)
	s.Capacities = p.setup.Capacities
	s.Expiry = cmp.Or(p.setup.Expiry, s.Expiry)
	s.GroupExpiry = cmp.Or(p.setup.GroupExpiry, s.GroupExpiry)
	return s
}

// Run tests that a layer keeps its promises.
func Run(t *testing.T, open Open) {
	for _, p := range allPromises() {
		t.Run(p.name, func(t *testing.T) { p.test(t, open, nil) })
	}
}

// RunInBubble is [Run] with each subtest in a bubble of testing/synctest, where waiting takes no time.
func RunInBubble(t *testing.T, open Open) {
	for _, p := range allPromises() {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p.test(t, open, func(d time.Duration) {
					<-time.After(d)
					synctest.Wait()
				})
			})
		})
	}
}

func allPromises() []promise {
	var all []promise
	for _, some := range [][]promise{namePromises(), eventPromises(), groupPromises(), limitPromises(), listenPromises()} {
		all = append(all, some...)
	}
	return all
}

// test tests one promise; advance is nil where the Bus has its own.
func (p promise) test(t *testing.T, open Open, advance func(time.Duration)) {
	setup := p.setupOf()
	bus := open(t, setup)
	if len(bus.Nodes) != setup.Nodes {
		t.Fatalf("the layer was opened with %d nodes, want %d", len(bus.Nodes), setup.Nodes)
	}
	checkUnkept(t, bus.Unkept)
	if reason, unkept := bus.Unkept[p.name]; unkept {
		t.Skip(reason)
	}
	if advance == nil {
		advance = bus.Advance
	}
	p.keeps(&bench{T: t, nodes: bus.Nodes, advance: advance, poison: bus.Poison, setup: setup})
}

// checkUnkept keeps a misspelt promise from being kept in silence.
func checkUnkept(t *testing.T, unkept map[string]string) {
	t.Helper()
	known := make(map[string]bool)
	for _, p := range allPromises() {
		known[p.name] = true
	}
	for name := range unkept {
		if !known[name] {
			t.Fatalf("Unkept names %q, which is no promise", name)
		}
	}
}
