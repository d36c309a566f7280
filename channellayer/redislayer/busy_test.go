package redislayer_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// slow is a Receiver that does not return until it is let go, and then tells what comes.
type slow struct {
	called chan struct{} // holds something once it was called
	free   chan struct{} // closed when it is let go
	types  chan string
}

func (s *slow) Receive(d *channellayer.Delivery, _ int) bool {
	select {
	case s.called <- struct{}{}:
	default:
	}
	<-s.free
	s.types <- d.Event.Type()
	return true
}

// TestBusyIsNotDeaf keeps a layer from handing out what has come, for many probes: what it sends to itself waits behind that.
func TestBusyIsNotDeaf(t *testing.T) {
	const heartbeat = 200 * time.Millisecond
	forms := map[string]func(context.Context, redislayer.Config) (channellayer.Layer, func() error, error){
		"core": func(ctx context.Context, c redislayer.Config) (channellayer.Layer, func() error, error) {
			l, err := redislayer.New(ctx, c)
			return l, l.Close, err
		},
		"pub/sub": func(ctx context.Context, c redislayer.Config) (channellayer.Layer, func() error, error) {
			l, err := redislayer.NewPubSub(ctx, c)
			return l, l.Close, err
		},
	}
	for name, open := range forms {
		t.Run(name, func(t *testing.T) {
			host, err := redislayer.ParseHost(redistest.Open(t).URL())
			if err != nil {
				t.Fatal(err)
			}
			reg := prometheus.NewRegistry()
			hosts := []redislayer.Host{host}
			l, end, err := open(t.Context(), redislayer.Config{Hosts: hosts, Heartbeat: heartbeat, Registerer: reg})
			if err != nil {
				t.Fatal(err)
			}
			other, endOther, err := open(t.Context(), redislayer.Config{Hosts: hosts})
			if err != nil {
				t.Fatal(err)
			}
			s := &slow{called: make(chan struct{}, 1), free: make(chan struct{}), types: make(chan string, 10)}
			t.Cleanup(func() {
				if end() != nil || endOther() != nil {
					t.Error("a layer does not close")
				}
			})
			channel, err := l.NewChannel(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.GroupAdd(t.Context(), "room", channel); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := other.GroupSend(t.Context(), "room", channellayer.Event{"type": "said"}); err != nil {
					t.Fatal(err)
				}
			}
			<-s.called
			<-time.After(10 * heartbeat)
			close(s.free)
			for range 2 {
				if got := <-s.types; got != "said" {
					t.Errorf("got %s, want what was said", got)
				}
			}
			if n := gathered(t, reg, "redislayer_hosts_lost_total"); n != 0 {
				t.Errorf("the host was lost %v times", n)
			}
		})
	}
}

// gathered returns the value of a counter without labels.
func gathered(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
