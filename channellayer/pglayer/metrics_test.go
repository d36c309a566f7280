package pglayer_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics(t *testing.T) {
	d := site(t)
	reg := prometheus.NewRegistry()
	c := at(role(t, d))
	c.Registerer = reg
	l := open(t, c)
	_, q := channel(t, l, "room")
	must(t, l.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
	problems, err := testutil.GatherAndLint(reg)
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	other := open(t, at(role(t, d)))
	must(t, other.GroupSend(t.Context(), "room", said(2)))
	want(t, q, said(2))
	for name, want := range map[string]float64{
		"pglayer_backlog_notifications_max": 1,
		"pglayer_events_sent_total":         1, "pglayer_events_delivered_total": 2, "pglayer_channels": 1, "pglayer_groups": 1,
		"pglayer_gaps_total": 0, "pglayer_connections_lost_total": 0,
	} {
		late := time.Now().Add(10 * time.Second)
		got := metric(t, reg, name)
		for got < want && time.Now().Before(late) { // what was delivered is counted right afterwards
			got = metric(t, reg, name)
		}
		if got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if lag := metric(t, reg, "pglayer_lag_seconds"); lag <= 0 || lag > 10 {
		t.Errorf("the lag is %v seconds", lag)
	}
}
