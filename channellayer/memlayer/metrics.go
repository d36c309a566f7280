package memlayer

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics counts events, where one that goes to a group is sent once, and delivered or dropped once for
// each member.
type metrics struct {
	sentChannel, sentGroup        prometheus.Counter
	delivered                     prometheus.Counter
	droppedFull, droppedNoChannel prometheus.Counter
}

// newMetrics registers the metrics of l with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer, l *Layer) *metrics {
	auto := promauto.With(reg)
	sent := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "memlayer_events_sent_total",
		Help: "Events that were sent, to a channel or to a group.",
	}, []string{"to"})
	auto.NewCounterFunc(dropped("expired"), func() float64 { return float64(l.plain.staleCount()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "memlayer_channels",
		Help: "Channels of this process that are open.",
	}, func() float64 { return float64(l.local.Channels()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "memlayer_groups",
		Help: "Groups that an open channel is in.",
	}, func() float64 { return float64(l.local.CountGroups()) })
	return &metrics{
		sentChannel: sent.WithLabelValues("channel"),
		sentGroup:   sent.WithLabelValues("group"),
		delivered: auto.NewCounter(prometheus.CounterOpts{
			Name: "memlayer_events_delivered_total",
			Help: "Events that a receiver took.",
		}),
		droppedFull:      auto.NewCounter(dropped("full")),
		droppedNoChannel: auto.NewCounter(dropped("no_channel")),
	}
}

// dropped describes the counter of the events that reached nobody for one reason.
func dropped(reason string) prometheus.CounterOpts {
	return prometheus.CounterOpts{
		Name:        "memlayer_events_dropped_total",
		Help:        "Events that a channel missed: it was full, it was not open, or nobody listened in time.",
		ConstLabels: prometheus.Labels{"reason": reason},
	}
}
