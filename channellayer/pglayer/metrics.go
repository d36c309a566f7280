package pglayer

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// metrics counts events, where one that goes to a group is sent once, and delivered or dropped once for
// each member.
type metrics struct {
	sentChannel, sentGroup                           prometheus.Counter
	delivered                                        prometheus.Counter
	droppedFull, droppedNoChannel, droppedExpired    prometheus.Counter
	droppedBacklog, droppedTaken, droppedUnfetched   prometheus.Counter
	droppedInvalid, droppedLarge, droppedToken       prometheus.Counter
	refusedFull                                      prometheus.Counter
	gaps, gapsDelivered, lost, canariesMissed        prometheus.Counter
	sweptMessages, sweptMemberships, removed, others prometheus.Counter
	lag, skew, queueUsage, newestRow                 prometheus.Gauge
}

// newMetrics registers the metrics of a layer with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer, l *Layer) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "pglayer_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return auto.NewGauge(prometheus.GaugeOpts{Name: "pglayer_" + name, Help: help})
	}
	sent := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "pglayer_events_sent_total",
		Help: "Events that were sent, to a channel or to a group.",
	}, []string{"to"})
	dropped := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "pglayer_events_dropped_total",
		Help: "Events that a channel missed: it was full, it was not open, the event was stale, or was no event, or its row had been taken by another.",
	}, []string{"reason"})
	swept := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "pglayer_rows_swept_total",
		Help: "Rows that were removed because they were stale, or of a dead node or a closed channel.",
	}, []string{"table"})
	m := &metrics{
		sentChannel: sent.WithLabelValues("channel"), sentGroup: sent.WithLabelValues("group"),
		delivered:        counter("events_delivered_total", "Events that a receiver took."),
		droppedFull:      dropped.WithLabelValues("full"),
		droppedNoChannel: dropped.WithLabelValues("no_channel"),
		droppedExpired:   dropped.WithLabelValues("expired"),
		droppedBacklog:   dropped.WithLabelValues("backlog"),
		droppedTaken:     dropped.WithLabelValues("taken_by_another"),
		droppedUnfetched: dropped.WithLabelValues("not_fetched"),
		droppedInvalid:   dropped.WithLabelValues("invalid"),
		droppedLarge:     dropped.WithLabelValues("too_large"),
		droppedToken:     dropped.WithLabelValues("not_encrypted"),
		refusedFull:      dropped.WithLabelValues("full_in_postgres"),
		gaps:             counter("gaps_total", "Times that channels were told that they may have missed events."),
		gapsDelivered:    counter("gaps_delivered_total", "Channels that were told that they may have missed events."),
		lost:             counter("connections_lost_total", "Times that the connection that listens was lost, or deaf."),
		canariesMissed:   counter("canaries_missed_total", "Events that the layer sent to itself and that did not come back in time."),
		sweptMessages:    swept.WithLabelValues("message"),
		sweptMemberships: swept.WithLabelValues("groupchannel"),
		removed:          counter("rows_removed_total", "Rows of messages that were removed after use."),
		others:           counter("notifications_for_others_total", "Notifications that were for another process: every process hears all of them."),
		lag:              gauge("lag_seconds", "How long the last event that the layer sent to itself took."),
		skew:             gauge("clock_skew_seconds", "How far this machine's clock is ahead of the database's, whose time counts."),
		queueUsage:       gauge("notification_queue_usage_ratio", "How full the queue of notifications of the database is; it grows while a listener, anybody's, stays in a transaction."),
		newestRow:        gauge("newest_message_id", "The largest id of a message that was seen; the column ends at 2147483647."),
	}
	registerLocal(auto, l)
	return m
}

// registerLocal registers what is read from the layer itself.
func registerLocal(auto promauto.Factory, l *Layer) {
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "pglayer_channels", Help: "Channels of this process that are open."},
		func() float64 { return float64(l.local.Channels()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "pglayer_groups", Help: "Groups that an open channel is in."},
		func() float64 { return float64(max(0, l.local.CountGroups()-1)) }) // Everyone is none
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "pglayer_backlog_notifications", Help: "Notifications that came and are not handed out yet."},
		func() float64 {
			now, _ := l.arrivals.depth()
			return float64(now)
		})
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "pglayer_backlog_notifications_max", Help: "The most notifications that ever waited; what exceeds 20000 is dropped, and announced as a gap."},
		func() float64 {
			_, most := l.arrivals.depth()
			return float64(most)
		})
}

// tally is the layer's [channellayer.Tally].
func (m *metrics) tally(d *channellayer.Delivery, delivered, dropped int) {
	took := m.delivered
	if d.Event.Type() == channellayer.GapType {
		took = m.gapsDelivered
	}
	took.Add(float64(delivered))
	m.droppedFull.Add(float64(dropped))
}

// outcome counts an event for a channel that is not open.
func (m *metrics) outcome(err error) {
	if errors.Is(err, channellayer.ErrNoChannel) {
		m.droppedNoChannel.Inc()
	}
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
