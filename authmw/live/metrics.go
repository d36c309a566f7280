package live

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/belleville/belleville/consumers"
)

// What was touched, as a label.
const (
	touchedSession = "session"
	touchedUser    = "user"
	touchedAll     = "all"
)

// The answers of a rule, as labels.
const (
	ruleAllows      = "allows"
	ruleRefuses     = "refuses"
	ruleUnavailable = "unavailable"
)

// metrics are what a Live counts.
type metrics struct {
	ended   *prometheus.CounterVec
	changed prometheus.Counter
	touched *prometheus.CounterVec
	batches *prometheus.HistogramVec
	size    prometheus.Histogram
	lag     prometheus.Histogram
	orders  *prometheus.CounterVec
	rules   *prometheus.CounterVec
}

func newMetrics(l *Live, reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	count := func(n func() int) func() float64 {
		return func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return float64(n())
		}
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "live_sessions", Help: "Sessions that open connections have.",
	}, count(func() int { return len(l.index.sessions) }))
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "live_connections", Help: "Open connections that follow their session.",
	}, count(func() int { return l.index.seats }))
	m := &metrics{
		ended: f.NewCounterVec(prometheus.CounterOpts{
			Name: "live_ended_total", Help: "Connections whose login has ended, by cause.",
		}, []string{"cause"}),
		changed: f.NewCounter(prometheus.CounterOpts{
			Name: "live_changed_total", Help: "Connections whose user has changed.",
		}),
		touched: f.NewCounterVec(prometheus.CounterOpts{
			Name: "live_touched_total", Help: "Hints that something has changed, by what it was.",
		}, []string{"what"}),
		batches: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "live_recheck_seconds", Help: "Time that the store took to answer for a batch of sessions, by result.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 7),
		}, []string{"result"}),
		size: f.NewHistogram(prometheus.HistogramOpts{
			Name: "live_recheck_batch_sessions", Help: "Sessions that were asked about together.",
			Buckets: prometheus.ExponentialBuckets(1, 10, 4),
		}),
		lag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "live_lag_seconds", Help: "Time from the commit of a change, or the expiry of a session, to the end of the connections that it concerns.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 9),
		}),
	}
	m.orders = f.NewCounterVec(prometheus.CounterOpts{
		Name: "live_orders_total", Help: "Orders that came over the channel layer, by result.",
	}, []string{"result"})
	m.rules = f.NewCounterVec(prometheus.CounterOpts{
		Name: "live_rules_asked_total", Help: "Rules that were asked again about open connections, by answer.",
	}, []string{"answer"})
	for c := consumers.EndedByLogout; c <= consumers.EndedByOther; c++ {
		m.ended.WithLabelValues(c.String())
	}
	for _, what := range []string{touchedSession, touchedUser, touchedAll} {
		m.touched.WithLabelValues(what)
	}
	for _, result := range []string{batchAnswered, batchUnavailable} {
		m.batches.WithLabelValues(result) // or a histogram's dozen lines would come with the first fault
	}
	return m
}

// The results of a batch.
const (
	batchAnswered    = "ok"
	batchUnavailable = "unavailable"
)

// asked notes a batch.
func (m *metrics) asked(sessions int, took time.Duration, err error) {
	result := batchAnswered
	if err != nil {
		result = batchUnavailable
	}
	m.batches.WithLabelValues(result).Observe(took.Seconds())
	m.size.Observe(float64(sessions))
}

// sentenced notes what connections were told.
func (m *metrics) sentenced(s sentence, now time.Time) {
	n := float64(len(s.instances))
	if s.ended {
		m.ended.WithLabelValues(s.cause.String()).Add(n)
	} else {
		m.changed.Add(n)
	}
	if !s.touched.IsZero() {
		m.lag.Observe(max(0, now.Sub(s.touched).Seconds()))
	}
}
