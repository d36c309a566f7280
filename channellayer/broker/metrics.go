package broker

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/belleville/belleville/channellayer/wireformat"
)

// metrics counts events, where one that goes to a group is sent once, and delivered or dropped once for each member.
type metrics struct {
	sentChannel, sentGroup                        prometheus.Counter
	delivered                                     prometheus.Counter
	droppedFull, droppedNoChannel, droppedExpired prometheus.Counter
	droppedInvalid, droppedLarge, droppedToken    prometheus.Counter
	refusedFull                                   prometheus.Counter
	refused                                       *prometheus.CounterVec
}

// newMetrics registers the metrics of a layer with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer, l *Layer) *metrics {
	auto := promauto.With(reg)
	sent := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "broker_events_sent_total",
		Help: "Events that this process sent, to a channel or to a group.",
	}, []string{"to"})
	dropped := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "broker_events_dropped_total",
		Help: "Events that a channel missed: it was full, it was not open, the event was stale, or was no event.",
	}, []string{"reason"})
	m := &metrics{
		sentChannel: sent.WithLabelValues("channel"), sentGroup: sent.WithLabelValues("group"),
		delivered: auto.NewCounter(prometheus.CounterOpts{
			Name: "broker_events_delivered_total",
			Help: "Events that a receiver of this process took.",
		}),
		droppedFull:      dropped.WithLabelValues("full"),
		droppedNoChannel: dropped.WithLabelValues("no_channel"),
		droppedExpired:   dropped.WithLabelValues("expired"),
		droppedInvalid:   dropped.WithLabelValues("invalid"),
		droppedLarge:     dropped.WithLabelValues("too_large"),
		droppedToken:     dropped.WithLabelValues("not_encrypted"),
		refusedFull:      dropped.WithLabelValues("full_elsewhere"),
		refused: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "broker_refused_total",
			Help: "What clients were refused: more clients, commands without the password, unknown ones, what is not the protocol, or for want of memory; or that were cut off because they read too slowly.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"clients", "password", "unknown", "protocol", "memory", "slow"} {
		m.refused.WithLabelValues(reason)
	}
	gauge := func(name, help string, read func() float64) {
		auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "broker_" + name, Help: help}, read)
	}
	gauge("channels", "Channels of this process that are open.", func() float64 { return float64(l.local.Channels()) })
	gauge("groups", "Groups that an open channel of this process is in.", func() float64 { return float64(l.local.CountGroups()) })
	gauge("inbox_messages", "Messages of clients for channels of this process that are not handed out yet.", func() float64 {
		now, _ := l.inbox.depth()
		return float64(now)
	})
	gauge("inbox_messages_max", "The most messages that ever waited in the inbox; at 1000 clients wait for room.", func() float64 {
		_, most := l.inbox.depth()
		return float64(most)
	})
	gauge("clients", "Clients that are connected.", func() float64 { return float64(l.clientCount()) })
	gauge("memory_bytes", "Memory for keys and subscriptions.", func() float64 { return float64(l.memory.used.Load()) })
	gauge("buffer_bytes", "Memory for commands and answers on their way.", func() float64 { return float64(l.buffers.used.Load()) })
	return m
}

// invalid counts a message that was not read.
func (m *metrics) invalid(err error) {
	switch {
	case errors.Is(err, wireformat.ErrTooLarge):
		m.droppedLarge.Inc()
	case errors.Is(err, wireformat.ErrToken):
		m.droppedToken.Inc()
	default:
		m.droppedInvalid.Inc()
	}
}
