package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/belleville/belleville/cmd/belleville/bench"
)

func TestBenchMeasuresAServer(t *testing.T) {
	b := serve(t, configuration(t, djangoDatabase(t), "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n", ""))
	cookies := filepath.Join(t.TempDir(), "cookies")
	if err := os.WriteFile(cookies, []byte("sessionid="+aliceCookie+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		got  func(bench.Report) int64
	}{
		{"connect", []string{"--url=ws://" + b.addr + "/ws/echo/", "--count=5", "--at-once=2"}, func(r bench.Report) int64 { return r.Handshakes.Count }},
		{"idle", []string{"--url=ws://" + b.addr + "/ws/echo/", "--clients=5", "--duration=100ms"}, func(r bench.Report) int64 { return r.Clients.Connected - r.Clients.Lost }},
		{"echo", []string{"--url=ws://" + b.addr + "/ws/echo/", "--clients=5", "--duration=200ms"}, func(r bench.Report) int64 { return min(5, r.Messages.Returned) }},
		{
			"broadcast",
			[]string{"--url=ws://" + b.addr + "/ws/chat/room/", "--clients=5", "--duration=200ms", "--cookie-file=" + cookies},
			func(r bench.Report) int64 { return min(5, r.Deliveries.Received) - r.Deliveries.Lost },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, "", append([]string{"bench", tt.name, "--json", "--origin=" + testOrigin}, tt.args...)...)
			var r bench.Report
			if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 || got.err != "" {
				t.Fatalf("%v: %+v", err, got)
			}
			if n := tt.got(r); r.Mode != tt.name || n != 5 || len(r.Errors) != 0 {
				t.Errorf("%d in %+v, want 5", n, r)
			}
		})
	}
	got := run(t, "", "bench", "idle", "--url=ws://"+b.addr+"/ws/chat/room/", "--clients=1", "--origin="+testOrigin)
	if want := "belleville: bench: nobody connected: status 403; does the route let in --cookie or --cookie-file, from --origin?\n"; got.code != exitFailure || got.err != want {
		t.Errorf("without a cookie: %+v, want %s", got, want)
	}
}
