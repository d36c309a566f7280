package authmw

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
)

// The results of looking who a visitor is.
const (
	resultAnonymous     = "anonymous"
	resultAuthenticated = "authenticated"
	resultUnavailable   = "unavailable"
)

// metrics are what the middleware counts.
type metrics struct {
	results *prometheus.CounterVec
	tossed  prometheus.Counter
	flooded prometheus.Counter
	seconds prometheus.Histogram

	authenticated func() prometheus.Counter // of results, found by its label once
}

// newMetrics makes the metrics in reg, which may be nil; all middleware with one reg shares them.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		results: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auth_visitors_total",
			Help: "Visitors who were looked up, by result.",
		}, []string{"result"})),
		tossed: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "auth_session_cookies_tossed_total",
			Help: "Requests with two different session cookies.",
		})),
		flooded: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "auth_unknown_keys_refused_total",
			Help: "Requests that were not looked up, because their address showed too many session keys that are nobody's.",
		})),
		seconds: registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "auth_seconds",
			Help:    "Time it took to look up a visitor's session and user.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12), // to 2.4 s
		})),
	}
	m.authenticated = sync.OnceValue(func() prometheus.Counter { return m.results.WithLabelValues(resultAuthenticated) })
	return m
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

func (m *metrics) recognised(u *djangocompat.User) {
	if u.IsAuthenticated() {
		m.authenticated().Inc()
		return
	}
	m.results.WithLabelValues(resultAnonymous).Inc()
}
