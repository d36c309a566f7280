package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/belleville/belleville/cmd/belleville/bench"
)

// The table stands between these lines.
const (
	begins = "<!-- make bench-server writes what follows -->\n"
	ends   = "<!-- make bench-server wrote what stands above -->\n"
)

// quiet is how much of the machine others may take, that figures are not called preliminary.
const quiet = 0.15

// markdown is the table.
func (f *figures) markdown() string {
	var b strings.Builder
	m := f.Machine
	fmt.Fprintf(&b, "%s: %d × %s, %s, %s. Medians of %d round(s); before each of them other programs took up to %.0f %% of the machine.\n",
		m.Date, m.Processors, m.Processor, m.Kernel, m.Go, f.Rounds, 100*m.Busy)
	if m.Busy > quiet || f.Rounds < 3 {
		b.WriteString("**These figures are preliminary**: the machine was busy, or there were fewer than three rounds.\n")
	}
	b.WriteString("\n| | | server | yardstick | ratio | aim |\n|---|---|--:|--:|--:|---|\n")
	for _, r := range f.Rows {
		server, yardstick, ratio := number(r.Server)+" "+r.Unit, number(r.Yardstick)+" "+r.Unit, ""
		if r.Ratio > 0 {
			ratio = number(r.Ratio)
		}
		if r.Network == "both" {
			server, yardstick = "", ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.What, r.Network, server, yardstick, ratio, r.verdict())
	}
	b.WriteString("\nThe program itself, `belleville serve`, as `belleville bench` on the same machine sees it:\n\n")
	b.WriteString("| | | per second | p50 ms | p99 ms | max ms | lost |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, p := range f.Program {
		rate, l := shown(&p.Report)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d |\n", p.What, p.Network, number(rate), number(l.P50), number(l.P99), number(l.Max), lost(&p.Report))
	}
	return b.String()
}

// shown is the rate and the latency that a report is about.
func shown(r *bench.Report) (float64, bench.Latency) {
	switch {
	case r.Deliveries != nil:
		return r.Deliveries.PerSecond, r.Deliveries.Latency
	case r.Messages != nil && r.Messages.Sent > 0:
		return r.Messages.PerSecond, r.Messages.Latency
	}
	return r.Handshakes.PerSecond, r.Handshakes.Latency
}

// lost is how much did not come, connections or messages.
func lost(r *bench.Report) int64 {
	n := r.Clients.Lost
	for _, failed := range r.Errors {
		n = max(n, failed)
	}
	if r.Deliveries != nil {
		n += r.Deliveries.Lost
	}
	if r.Messages != nil {
		n += r.Messages.Sent - r.Messages.Returned
	}
	return n
}

// number writes a number with about three digits that count.
func number(x float64) string {
	switch {
	case x >= 999.5:
		n := int64(x/10+0.5) * 10
		text := fmt.Sprint(n)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// replace puts a table between the lines that say where it stands.
func replace(text, table string) (string, error) {
	before, rest, found := strings.Cut(text, begins)
	_, after, whole := strings.Cut(rest, ends)
	if !found || !whole {
		return "", errors.New("the lines between which the table stands are missing")
	}
	return before + begins + "\n" + table + "\n" + ends + after, nil
}
