package broker_test

import (
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer/broker"
)

// TestStrangersCrowdNobodyOut has many connections that are nobody's use up what there is, beside one of Django's.
func TestStrangersCrowdNobodyOut(t *testing.T) {
	tests := []struct {
		name, password string
		stranger       func(*testing.T, *wire)
	}{
		{"passwords that never end", "sesame", func(t *testing.T, w *wire) {
			w.do(t, "PING")
			w.write(t, "*2\r\n$4\r\nAUTH\r\n$2000\r\n"+strings.Repeat("x", 1500))
		}},
		{"answers that nobody reads", "sesame", func(_ *testing.T, w *wire) {
			go func() { _, _ = io.WriteString(w, strings.Repeat(encode("PING"), 2000)) }() // it may be cut off
		}},
		{"announcements of much", "", func(t *testing.T, w *wire) {
			w.do(t, "PING")
			w.write(t, "*2\r\n$4\r\nECHO\r\n$1000000\r\nabc")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			_, address := open(t, broker.Config{Password: tt.password, MaxBuffers: 1 << 20, Registerer: reg})
			for range 800 {
				tt.stranger(t, dial(t, address))
			}
			if used := metric(t, reg, "broker_buffer_bytes", ""); used > 1<<18 {
				t.Errorf("strangers use %v bytes of a budget of 1 MiB", used)
			}
			for range 20 { // new ones, as redis-py makes them
				django := dial(t, address)
				if tt.password != "" {
					django.do(t, "AUTH", tt.password)
				}
				if got := django.do(t, "ECHO", strings.Repeat("m", 100_000)); len(got) < 100_000 {
					t.Fatalf("Django got %.40s", got)
				}
			}
		})
	}
}

// TestWhoSaysNothingGivesWay fills the places for clients.
func TestWhoSaysNothingGivesWay(t *testing.T) {
	for _, password := range []string{"", "sesame"} {
		reg := prometheus.NewRegistry()
		_, address := open(t, broker.Config{Password: password, MaxClients: 20, Registerer: reg})
		django := make([]*wire, 0, 20)
		admit := func() *wire {
			w := dial(t, address)
			if password != "" {
				w.do(t, "AUTH", password)
			}
			return w
		}
		for range 10 {
			w := admit()
			w.do(t, "PING")
			django = append(django, w)
		}
		for range 100 {
			dial(t, address)
		}
		for range 10 {
			w := admit()
			if got := w.do(t, "PING"); got != "+PONG" {
				t.Fatalf("where others only wait, Django got %s", got)
			}
			django = append(django, w)
		}
		for _, w := range django {
			if got := w.do(t, "PING"); got != "+PONG" {
				t.Errorf("who had something to say got %s", got)
			}
		}
		if got := metric(t, reg, "broker_clients", ""); got != 20 {
			t.Errorf("%v clients are there, want 20", got)
		}
		if got := dial(t, address).wantEnd(t); got != "-ERR" {
			t.Errorf("one too many got %s, want a word", got)
		}
	}
}
