package server_test

import (
	"context"
	"slices"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// registry is a Prometheus registry that a test can ask.
type registry struct{ *prometheus.Registry }

func newRegistry() registry { return registry{prometheus.NewRegistry()} }

// value returns a metric's value, 0 where it has none yet. A label is its one label's value.
func (r registry) value(name string, label ...string) float64 {
	families, err := r.Gather()
	if err != nil {
		panic(err) // two metrics of one name
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var has []string
			for _, l := range m.GetLabel() {
				has = append(has, l.GetValue())
			}
			if slices.Equal(has, label) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// lint fails where a metric is not named as Prometheus likes it. One that has no value yet is not looked at.
func (r registry) lint(t *testing.T) {
	t.Helper()
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	type metric struct {
		name  string
		label []string
	}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			reg := newRegistry()
			l, err := server.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			app := consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
				if s.Path != "/ws/" {
					return nil, consumers.ErrNoRoute
				}
				return chatters().Open(ctx, s)
			})
			s := serveOn(t, tr.wrap(l), app, server.Config{Registerer: reg, Logger: quiet()})
			a, b := s.open(t), s.open(t)
			want := func(values map[*metric]float64) {
				t.Helper()
				for m, v := range values {
					eventually(t, m.name+" as expected", func() bool { return reg.value(m.name, m.label...) == v })
				}
			}
			a.say(frame(fText, "four"))
			for _, p := range []*peer{a, b} {
				if _, got := p.read(); got != "four" {
					t.Errorf("message = %q, want four", got)
				}
			}
			want(map[*metric]float64{
				{"server_connections", nil}:                        2,
				{"server_websockets", nil}:                         2,
				{"server_handshakes_total", []string{"101"}}:       2,
				{"server_messages_total", []string{"in"}}:          1,
				{"server_messages_total", []string{"out"}}:         2,
				{"server_message_bytes_total", []string{"in"}}:     4,
				{"server_message_bytes_total", []string{"out"}}:    8,
				{"server_draining", nil}:                           0,
				{"server_protocol_errors_total", []string{"utf8"}}: 0,
			})

			a.say(frame(fText, "panic"))
			if first, payload := a.read(); first != fClose || payload != closePayload(1011, "") {
				t.Errorf("frame = %#x %q, want a close with 1011", first, payload)
			}
			a.say(frame(fClose, closePayload(1011, "")))
			b.say(frame(fText, "a\xff"))
			b.wantClosed(1007)
			for _, refused := range []struct {
				head string
				want int
			}{{with("/ws/", "/nowhere"), 404}, {with("/ws/", "/nowhere/else"), 404}, {with("GET", "POST"), 405}} {
				p := s.raw(t)
				p.say(refused.head)
				if r, _ := p.answer(); r.StatusCode != refused.want {
					t.Errorf("status = %d, want %d", r.StatusCode, refused.want)
				}
				_ = p.Close()
			}
			_, _ = a.Close(), b.Close()
			want(map[*metric]float64{
				{"server_connections", nil}:                           0,
				{"server_websockets", nil}:                            0,
				{"server_handshakes_total", []string{"404"}}:          2,
				{"server_handshakes_total", []string{"405"}}:          1,
				{"server_closes_total", []string{"1011"}}:             1,
				{"server_closes_total", []string{"1007"}}:             1,
				{"server_protocol_errors_total", []string{"utf8"}}:    1,
				{"server_consumer_failures_total", []string{"panic"}}: 1,
			})
			s.cancel()
			want(map[*metric]float64{{"server_draining", nil}: 1})
			reg.lint(t)
		})
	}
}
