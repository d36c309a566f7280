package token

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of looking at a token, besides the reasons of a Refusal.
const (
	resultAccepted    = "accepted"
	resultUnavailable = "unavailable"
)

// metrics are what an Authenticator counts.
type metrics struct {
	results *prometheus.CounterVec
	expired prometheus.Counter
}

// newMetrics makes the metrics in reg, which may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		results: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "token_results_total",
			Help: "Tokens that were looked at, by kind, source and result.",
		}, []string{"kind", "source", "result"})),
		expired: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "token_sockets_expired_total",
			Help: "WebSockets that were closed because their token expired.",
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

// looked counts a token that was looked at.
func (m *metrics) looked(c candidate, err error) {
	result := resultAccepted
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		result = refusal.Reason.String()
	} else if err != nil {
		result = resultUnavailable
	}
	m.results.WithLabelValues(c.scheme.Verifier.Kind(), c.source.String(), result).Inc()
}
