package bench

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// sample is a report in which everything has a value.
func sample() *Report {
	l := Latency{P50: 1.25, P90: 20.5, P99: 1234.5, Max: 2000, Mean: 3}
	return &Report{
		Mode: "broadcast", URL: "ws://h/ws/", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 10, Ended: endTime,
		Clients:    Clients{Wanted: 1000, Connected: 999, Lost: 1},
		Handshakes: Handshakes{Count: 999, Seconds: 0.5, PerSecond: 1998, Latency: l},
		Messages:   &Messages{Sent: 12345, Returned: 12344, PerSecond: 1234.4, Other: 3, Latency: l},
		Deliveries: &Deliveries{Published: 10, Expected: 9990, Received: 9980, PerSecond: 998, Lost: 10, Repeated: 2, Other: 1, Latency: l},
		Errors:     map[string]int64{"status 403": 1, "closed with 1012": 1},
	}
}

func TestTheShapesOfAReport(t *testing.T) {
	for name, write := range map[string]func(*Report, *bytes.Buffer) error{
		"report.json": func(r *Report, b *bytes.Buffer) error { return r.writeJSON(b) },
		"report.txt":  func(r *Report, b *bytes.Buffer) error { return r.writeText(b) },
	} {
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := write(sample(), &got); err != nil || got.String() != string(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got.String(), want)
		}
	}
}

func TestTheProgressLine(t *testing.T) {
	var out strings.Builder
	y := newTally("echo", Progress{&out})
	y.opened.Add(1500)
	y.messages.record(2 * time.Millisecond)
	y.fail(&failure{"status 403"})
	y.line(12_345)
	want := "\r\x1b[Kecho    0 s  1,500 connected  12,345/s  p50 2.00  p99 2.00 ms  1 errors"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheProgressEndsWithAnEmptyLine(t *testing.T) {
	var out strings.Builder
	newTally("idle", Progress{&out}).tell()()
	if got := out.String(); !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("got %q", got)
	}
}

func ExampleLatency() {
	fmt.Println(Latency{P50: 0.5, P90: 1, P99: 12.5, Max: 1500})
	// Output: p50 0.50, p90 1.00, p99 12.5, max 1,500 ms
}
