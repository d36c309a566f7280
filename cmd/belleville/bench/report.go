package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is the figures of one run: what --json prints, and docs/performance.md describes. Fields may be added, none
// will change its meaning.
type Report struct {
	Mode    string    `json:"mode"`    // connect, idle, echo, broadcast
	URL     string    `json:"url"`     // without its query, which may be a secret
	Started time.Time `json:"started"` // when the first connection was begun
	Seconds float64   `json:"seconds"` // how long was measured, after all had connected; with connect from the start
	Ended   string    `json:"ended"`   // why: time, count, interrupt, or lost (no connection is left, or none that sends)

	Clients    Clients    `json:"clients"`
	Handshakes Handshakes `json:"handshakes"`
	// Messages are those of echo, and with idle what came unasked.
	Messages *Messages `json:"messages,omitempty"`
	// Deliveries are those of broadcast.
	Deliveries *Deliveries `json:"deliveries,omitempty"`
	// Errors counts what went wrong, by its kind.
	Errors map[string]int64 `json:"errors"`
}

// Clients says how many there were.
type Clients struct {
	Wanted    int   `json:"wanted"`    // at the same time
	Connected int64 `json:"connected"` // at the end of connecting; with connect, over the whole run
	Lost      int64 `json:"lost"`      // connections that did not end by our wish
}

// Handshakes are those that were answered with 101. A handshake's time begins before the connection, and includes
// that of TLS.
type Handshakes struct {
	Count     int64   `json:"count"`
	Seconds   float64 `json:"seconds"` // from the first connection to the last
	PerSecond float64 `json:"per_second"`
	Latency   Latency `json:"latency_ms"`
}

// Messages are messages of clients that come back to them.
type Messages struct {
	Sent      int64   `json:"sent"`
	Returned  int64   `json:"returned"`
	PerSecond float64 `json:"per_second"` // returned while it was measured
	Other     int64   `json:"other"`      // came, and were none of ours
	Latency   Latency `json:"latency_ms"`
}

// Deliveries are messages that came to a client, of those that somebody sent to all.
type Deliveries struct {
	Published int64   `json:"published"` // messages that we sent
	Expected  int64   `json:"expected"`  // one for each message and client; with --senders 0 those that came or are missing
	Received  int64   `json:"received"`
	PerSecond float64 `json:"per_second"` // received while it was measured
	Lost      int64   `json:"lost"`       // expected, and did not come
	Repeated  int64   `json:"repeated"`   // came again, or after a later one
	Other     int64   `json:"other"`      // came, and were no messages of a bench
	Latency   Latency `json:"latency_ms"` // from the sender to one client
}

// Latency is times in milliseconds. P99 is what 99 of 100 did not exceed; at most 1.6 % too large.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// String implements fmt.Stringer.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, max %s ms", short(l.P50), short(l.P90), short(l.P99), short(l.Max))
}

// writeJSON prints the report for programs.
func (r *Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeText prints the report for people.
func (r *Report) writeText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %.1f s, %s\n", r.Mode, r.URL, r.Seconds, ending(r.Ended))
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{label}, args...)...)
	}
	line("clients", "%s wanted, %s connected, %s lost", count(int64(r.Clients.Wanted)), count(r.Clients.Connected), count(r.Clients.Lost))
	line("handshakes", "%s in %.1f s, %s/s: %v", count(r.Handshakes.Count), r.Handshakes.Seconds, short(r.Handshakes.PerSecond), r.Handshakes.Latency)
	if m := r.Messages; m != nil && r.Mode == "idle" {
		line("messages", "%s came", count(m.Other))
	} else if m != nil {
		line("messages", "%s sent, %s came back, %s/s: %v", count(m.Sent), count(m.Returned), short(m.PerSecond), m.Latency)
		line("", "%s others came", count(m.Other))
	}
	if d := r.Deliveries; d != nil {
		line("deliveries", "%s of %s, %s/s: %v", count(d.Received), count(d.Expected), short(d.PerSecond), d.Latency)
		line("", "%s published, %s lost, %s repeated or late, %s others came", count(d.Published), count(d.Lost), count(d.Repeated), count(d.Other))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		line("error", "%s × %s", count(r.Errors[kind]), kind)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ending says in words why a run ended.
func ending(why string) string {
	switch why {
	case endTime:
		return "ended by --duration"
	case endCount:
		return "ended by --count"
	case endInterrupt:
		return "interrupted"
	}
	return "no connection is left, or none that sends"
}

// Why a run ended.
const (
	endTime      = "time"
	endCount     = "count"
	endInterrupt = "interrupt"
	endLost      = "lost"
)

// count writes a number with commas.
func count(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// short writes a number with three digits that count.
func short(x float64) string {
	switch {
	case x >= 100:
		return count(int64(x + 0.5))
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
