package redislayer

import (
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/wireformat"
)

// metrics counts events, where one that goes to a group is sent once, and delivered or dropped once for
// each member.
type metrics struct {
	sentChannel, sentGroup                        prometheus.Counter
	delivered                                     prometheus.Counter
	droppedFull, droppedNoChannel, droppedExpired prometheus.Counter
	droppedStale, droppedBacklog                  prometheus.Counter
	droppedInvalid, droppedLarge, droppedToken    prometheus.Counter
	refusedFull                                   prometheus.Counter
	gaps, gapsDelivered, lost                     prometheus.Counter
	swept, canariesMissed                         prometheus.Counter
	lag, skew                                     *prometheus.GaugeVec

	depth, deepest []atomic.Int64 // by lane: of the inbox in Redis, when it was last emptied and at most
}

// gauges are what is read when somebody asks.
type gauges struct {
	local *channellayer.Local
	lanes int
}

// newMetrics registers the metrics of a layer with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer, g gauges) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "redislayer_" + name, Help: help})
	}
	sent := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "redislayer_events_sent_total",
		Help: "Events that were sent, to a channel or to a group.",
	}, []string{"to"})
	dropped := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "redislayer_events_dropped_total",
		Help: "Events that a channel missed: it was full, it was not open, the event was stale, or was no event.",
	}, []string{"reason"})
	m := &metrics{
		sentChannel: sent.WithLabelValues("channel"), sentGroup: sent.WithLabelValues("group"),
		delivered:        counter("events_delivered_total", "Events that a receiver took."),
		droppedFull:      dropped.WithLabelValues("full"),
		droppedNoChannel: dropped.WithLabelValues("no_channel"),
		droppedExpired:   dropped.WithLabelValues("expired"),
		droppedBacklog:   dropped.WithLabelValues("backlog"),
		droppedStale:     dropped.WithLabelValues("stale_in_redis"),
		droppedInvalid:   dropped.WithLabelValues("invalid"),
		droppedLarge:     dropped.WithLabelValues("too_large"),
		droppedToken:     dropped.WithLabelValues("not_encrypted"),
		refusedFull:      dropped.WithLabelValues("full_in_redis"),
		gaps:             counter("gaps_total", "Times that every channel was told that it may have missed events."),
		gapsDelivered:    counter("gaps_delivered_total", "Channels that were told that they may have missed events."),
		lost:             counter("hosts_lost_total", "Times that a host was lost."),
		swept:            counter("memberships_swept_total", "Memberships of dead nodes and closed channels that were ended."),
		canariesMissed:   counter("canaries_missed_total", "Events that the layer sent to itself and that did not come back in time."),
		lag: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "redislayer_lag_seconds",
			Help: "How long the last event that the layer sent to itself took, through each host and lane.",
		}, []string{"host", "lane"}),
		skew: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "redislayer_clock_skew_seconds",
			Help: "How far this machine's clock is ahead of that of each host.",
		}, []string{"host"}),
		depth: make([]atomic.Int64, g.lanes), deepest: make([]atomic.Int64, g.lanes),
	}
	m.registerGauges(auto, g.local)
	return m
}

// registerGauges registers what is read when somebody asks.
func (m *metrics) registerGauges(auto promauto.Factory, local *channellayer.Local) {
	gauge := func(name, help string, labels prometheus.Labels, read func() float64) {
		auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "redislayer_" + name, Help: help, ConstLabels: labels}, read)
	}
	gauge("channels", "Channels of this process that are open.", nil, func() float64 { return float64(local.Channels()) })
	gauge("groups", "Groups that an open channel is in.", nil, func() float64 {
		return float64(max(0, local.CountGroups()-1)) // Everyone is none
	})
	for i := range m.depth {
		labels := prometheus.Labels{"lane": strconv.Itoa(i)}
		gauge("inbox_messages", "Messages that waited in an inbox in Redis when it was last emptied.", labels,
			func() float64 { return float64(m.depth[i].Load()) })
		gauge("inbox_messages_max", "The most messages that ever waited in an inbox; senders drop what exceeds the site's capacity.", labels,
			func() float64 { return float64(m.deepest[i].Load()) })
	}
}

// sawDepth notes how many messages waited in an inbox.
func (m *metrics) sawDepth(lane, n int) {
	m.depth[lane].Store(int64(n))
	for {
		old := m.deepest[lane].Load()
		if int64(n) <= old || m.deepest[lane].CompareAndSwap(old, int64(n)) {
			return
		}
	}
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
