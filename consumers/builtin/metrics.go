package builtin

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// bridgeMetrics are what bridges count. Labels come from fixed sets.
type bridgeMetrics struct {
	handshakes *prometheus.CounterVec // accepted, refused, full, timeout, unavailable
	lost       *prometheus.CounterVec // receive, disconnect
	full       prometheus.Counter
	ignored    prometheus.Counter
}

// newBridgeMetrics makes the metrics in reg, which may be nil; all bridges with one reg share them.
func newBridgeMetrics(reg prometheus.Registerer) *bridgeMetrics {
	return &bridgeMetrics{
		handshakes: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_handshakes_total",
			Help: "Handshakes that Django decided about, or did not, by result.",
		}, []string{"result"})),
		lost: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_events_lost_total",
			Help: "Events that Django was not told of because its channel was full or the layer away, by kind.",
		}, []string{"kind"})),
		full: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bridge_channel_full_total",
			Help: "Times that a bridge found its channel full and waited.",
		})),
		ignored: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bridge_answers_ignored_total",
			Help: "Events to bridged connections that mean nothing to them, or not any more.",
		})),
	}
}

// registered puts c into reg, or returns what is in there already.
func registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	if before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := before.ExistingCollector.(C); ok {
			return same
		}
	}
	if err != nil {
		panic(err) // the program registers something else under this name
	}
	return c
}
