package changes

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what a Listener counts.
type metrics struct {
	changes *prometheus.CounterVec
	ignored prometheus.Counter
	lost    prometheus.Counter
}

func newMetrics(l *Listener, reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "changes_heard", Help: "1 if changes in the database are heard of.",
	}, func() float64 {
		if l.Proven() {
			return 1
		}
		return 0
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "changes_probe_age_seconds", Help: "Time since it was last proven that changes are heard of; 0 if they are not.",
	}, func() float64 { return l.age().Seconds() })
	m := &metrics{
		changes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "changes_total", Help: "Changes that were heard of, by what has changed.",
		}, []string{"what"}),
		ignored: f.NewCounter(prometheus.CounterOpts{
			Name: "changes_ignored_total", Help: "Notifications that no trigger of ours has sent.",
		}),
		lost: f.NewCounter(prometheus.CounterOpts{
			Name: "changes_lost_total", Help: "How often changes were not heard of any more.",
		}),
	}
	for _, k := range []Kind{Session, User, Anything} {
		m.changes.WithLabelValues(k.String())
	}
	return m
}
