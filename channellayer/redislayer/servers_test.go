package redislayer_test

import (
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

func TestAnInspectorSaysWhatServersAre(t *testing.T) {
	server := redistest.Open(t)
	i, err := redislayer.NewInspector(t.Context(), redislayer.Config{Hosts: hosts(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	look := func() redislayer.ServerReport {
		t.Helper()
		reports, err := i.Servers(t.Context())
		if err != nil || len(reports) != 1 {
			t.Fatalf("Servers = %v, %v", reports, err)
		}
		return reports[0]
	}
	if r := look(); r.Version == "" || r.Belleville || r.Evicts || r.Ahead.Abs() > 5*time.Second {
		t.Errorf("got %+v", r)
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
	if r := look(); !r.Evicts {
		t.Errorf("got %+v, want one that throws keys away", r)
	}
}

func TestAnInspectorSaysWhetherWhatWaitsCanBeRead(t *testing.T) {
	server := redistest.Open(t)
	sender := open(t, redislayer.Config{Hosts: hosts(t, server), SymmetricEncryptionKeys: []string{"theirs"}})
	for _, channel := range []string{"one", "two"} {
		if err := sender.Send(t.Context(), channel, channellayer.Event{"type": "x"}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		keys []string
		want redislayer.WaitingReport
	}{
		{"the same keys", []string{"ours", "theirs"}, redislayer.WaitingReport{Messages: 2}},
		{"other keys", []string{"ours"}, redislayer.WaitingReport{Messages: 2, Foreign: 2}},
		{"no keys", nil, redislayer.WaitingReport{Messages: 2, Unread: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, err := redislayer.NewInspector(t.Context(), redislayer.Config{Hosts: hosts(t, server), SymmetricEncryptionKeys: tt.keys})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if got, err := i.Waiting(t.Context()); err != nil || got != tt.want {
				t.Errorf("Waiting = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}
