package memlayer_test

import (
	"testing"

	"github.com/belleville/belleville/channellayer/layertest"
	"github.com/belleville/belleville/channellayer/memlayer"
)

func open(_ *testing.T, s layertest.Setup) layertest.Bus {
	l := memlayer.New(memlayer.Config{
		Capacity:    s.Capacity,
		Capacities:  s.Capacities,
		Expiry:      s.Expiry,
		GroupExpiry: s.GroupExpiry,
	})
	bus := layertest.Bus{}
	for range s.Nodes {
		bus.Nodes = append(bus.Nodes, l)
	}
	return bus
}

func TestLayer(t *testing.T) {
	layertest.RunInBubble(t, open)
}
