package server

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/belleville/belleville/consumers"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a Server counts. Labels come from fixed sets.
type metrics struct {
	connections prometheus.Gauge
	sockets     prometheus.Gauge
	answers     *prometheus.CounterVec
	refusals    *prometheus.CounterVec
	closes      *prometheus.CounterVec
	broken      *prometheus.CounterVec
	slow        prometheus.Counter
	shed        *prometheus.CounterVec
	failures    *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	draining    prometheus.Gauge
	flows       flows
}

// newMetrics makes the metrics and registers them with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		connections: gauge("server_connections", "Connections held, of all kinds."),
		sockets:     gauge("server_websockets", "WebSockets that are open."),
		answers:     vec("server_handshakes_total", "Handshakes answered, by HTTP status.", "status"),
		refusals:    vec("server_refusals_total", "Handshakes and plain requests refused before a consumer took them, by reason.", "reason"),
		closes:      vec("server_closes_total", "WebSockets that ended, by close code.", "code"),
		broken:      vec("server_protocol_errors_total", "Connections ended for what the client did or left undone.", "reason"),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "server_slow_closes_total", Help: "Connections ended because the client did not read.",
		}),
		shed:     vec("server_slow_drops_total", "Messages dropped because their client did not read, by policy.", "policy"),
		failures: vec("server_consumer_failures_total", "Consumers that failed.", "kind"),
		dropped:  vec("server_events_dropped_total", "Events that no consumer saw, by reason.", "reason"),
		draining: gauge("server_draining", "1 while the server drains."),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.sockets, m.answers, m.refusals, m.closes, m.broken, m.slow, m.shed, m.failures, m.dropped,
			m.draining)
		reg.MustRegister(m.flows.counters()...)
	}
	return m
}

// answered counts an answered handshake.
func (m *metrics) answered(status int) {
	m.answers.WithLabelValues(statusLabel(status)).Inc()
}

// answered counts the answer to a handshake, and says why it was refused.
func (s *Server) answered(r consumers.Response) {
	s.metrics.answered(r.Status)
	if r.Status != http.StatusSwitchingProtocols {
		s.refused(r.Status, r.Reason)
	}
}

// refused counts a refusal by its reason. Who looks into one sees it in the log, too.
func (s *Server) refused(status int, why consumers.Reason) {
	s.metrics.refusals.WithLabelValues(why.String()).Inc()
	s.cfg.Load().Logger.Debug("a request was refused", slog.Int("status", status), slog.String("reason", why.String()))
}

// statusLabel names the statuses that are common, and the others by their class.
func statusLabel(status int) string {
	switch status {
	case 101, 200, 400, 401, 403, 404, 405, 426, 429, 431, 500, 503, 505:
		return strconv.Itoa(status)
	}
	return strconv.Itoa(status/100) + "xx"
}

// closed counts a WebSocket that ended.
func (m *metrics) closed(code consumers.CloseCode) {
	m.sockets.Dec()
	m.closes.WithLabelValues(codeLabel(code)).Inc()
}

// codeLabel names the registered codes and our own, and the others by their range.
func codeLabel(code consumers.CloseCode) string {
	switch {
	case code >= 1000 && code <= 1015, code == consumers.CloseSessionEnded:
		return strconv.Itoa(int(code))
	case code >= 3000 && code < 4000:
		return "3xxx"
	case code >= 4000 && code < 5000:
		return "4xxx"
	}
	return "other"
}

// Report implements consumers.Reporter.
func (s *Server) Report(err error) { s.report(err) }

// report counts what went wrong in a consumer, and logs what its author must know.
func (s *Server) report(err error) {
	if e, ok := errors.AsType[*consumers.EventError](err); ok {
		s.metrics.dropped.WithLabelValues(e.Reason).Inc()
		return
	}
	if e, ok := errors.AsType[*consumers.PanicError](err); ok {
		s.metrics.failures.WithLabelValues("panic").Inc()
		s.cfg.Load().Logger.Error("a consumer panicked", slog.String("kind", panicKind(e)), slog.String("stack", string(e.Stack)))
		return
	}
	if errors.Is(err, consumers.ErrNotJSON) {
		s.metrics.failures.WithLabelValues("not_json").Inc() // what a client did wrong is not logged
		return
	}
	s.metrics.failures.WithLabelValues("error").Inc()
	s.cfg.Load().Logger.Error("a consumer failed", slog.String("error", err.Error()))
}

// panicKind describes a panic without what a client may have put into it.
func panicKind(e *consumers.PanicError) string {
	if r, ok := e.Value.(interface {
		RuntimeError()
		error
	}); ok {
		return r.Error()
	}
	return "panic with a value of its own; see the stack"
}
