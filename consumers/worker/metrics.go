package worker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what a Worker counts. The channels are those of its router.
type metrics struct {
	events  *prometheus.CounterVec
	retries *prometheus.CounterVec
	busy    *prometheus.GaugeVec
	seconds *prometheus.HistogramVec
}

// channelMetrics are those of one channel.
type channelMetrics struct {
	done, failed, panicked, unhandled, expired, retried prometheus.Counter
	busy                                                prometheus.Gauge
	seconds                                             prometheus.Observer
}

// newMetrics registers the metrics with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	return &metrics{
		events: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "worker_events_total", Help: "Events that were handled, or not, by channel and result.",
		}, []string{"channel", "result"}),
		retries: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "worker_retries_total", Help: "Times that an event was tried again.",
		}, []string{"channel"}),
		busy: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "worker_busy", Help: "Events that are being handled.",
		}, []string{"channel"}),
		seconds: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "worker_seconds", Help: "Time that handlers took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10), // to 4 minutes
		}, []string{"channel"}),
	}
}

// of returns the metrics of a channel.
func (m *metrics) of(channel string) *channelMetrics {
	result := func(r string) prometheus.Counter { return m.events.WithLabelValues(channel, r) }
	return &channelMetrics{
		done: result("done"), failed: result("failed"), panicked: result("panicked"),
		unhandled: result("unhandled"), expired: result("expired"), retried: m.retries.WithLabelValues(channel),
		busy: m.busy.WithLabelValues(channel), seconds: m.seconds.WithLabelValues(channel),
	}
}
