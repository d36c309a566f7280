package main

import (
	"errors"
	"fmt"
	"strings"
)

// row is one figure of the table.
type row struct {
	What      string  `json:"what"`
	Network   string  `json:"network"`
	Unit      string  `json:"unit"`
	Server    float64 `json:"server"`
	Yardstick float64 `json:"yardstick"`
	Ratio     float64 `json:"ratio"` // the median of each round's; 0: there is none, for the yardstick took nothing
	// Aim is what the ratio is to be: at least that with ">=", at most with "<="; "server <=" is of the server's
	// figure. Empty: nothing.
	Aim string  `json:"aim,omitempty"`
	Of  float64 `json:"aim_value,omitempty"`
	Met bool    `json:"met,omitempty"`
}

// absolute is an aim that no yardstick is needed for.
const absolute = "server <="

// figure says where a row comes from.
type figure struct {
	what, network, unit string
	server, yardstick   string // benchmarks
	value               func(units map[string]float64) float64
	aim                 string
	of                  float64
}

// What a benchmark's units say.
func perSecond(u map[string]float64) float64 { return 1e9 / u["ns/op"] }

func cpuMicros(u map[string]float64) float64  { return (u["cpu-ns/op"] + u["postgres-cpu-ns/op"]) / 1e3 }
func kilobytes(u map[string]float64) float64  { return u["KB-PSS/conn"] }
func p99Millis(u map[string]float64) float64  { return u["p99-ns"] / 1e6 }
func nanosAnOp(u map[string]float64) float64  { return u["ns/op"] }
func cpuNanosOp(u map[string]float64) float64 { return u["cpu-ns/op"] }
func deliveries(n float64) func(map[string]float64) float64 {
	return func(u map[string]float64) float64 { return n * 1e9 / u["ns/op"] }
}

func cpuPerMillion(n float64) func(map[string]float64) float64 {
	return func(u map[string]float64) float64 { return u["cpu-ns/op"] / n / 1e3 }
}

// table is what is measured, in the order in which it is shown.
func table() []figure {
	f := []figure{
		{"memory of an idle connection", "TCP", "KB", "PlainMemory/no-session/tcp", "PlainMemory/yardstick/tcp", kilobytes, "", 0},
		{"memory of an idle connection, logged in, in two groups", "TCP", "KB", "IdleMemory", "PlainMemory/yardstick/tcp", kilobytes, absolute, 1.5},
	}
	for _, network := range []string{"tcp", "unix"} {
		shown := map[string]string{"tcp": "TCP", "unix": "unix"}[network]
		y := "Handshake/yardstick/" + network
		f = append(
			f,
			figure{"handshakes", shown, "/s", "Handshake/no-session/" + network, y, perSecond, ">=", 0.8},
			figure{"handshakes, CPU of one", shown, "µs", "Handshake/no-session/" + network, y, cpuMicros, "", 0},
			figure{"handshakes, logged in", shown, "/s", "Handshake/postgres/" + network, y, perSecond, ">=", 0.68},
			figure{"handshakes, logged in, CPU of one with PostgreSQL's", shown, "µs", "Handshake/postgres/" + network, y, cpuMicros, "<=", 2.4},
			figure{"echo, 1,000 clients", shown, "messages/s", "Echo/consumer/" + network + "/1000", "Echo/yardstick/" + network + "/1000", perSecond, "", 0},
			figure{"echo, 1,000 clients, CPU", shown, "s per million", "Echo/consumer/" + network + "/1000", "Echo/yardstick/" + network + "/1000", cpuPerMillion(1), "<=", 1.3},
		)
	}
	for _, network := range []string{"tcp", "unix"} {
		f = append(f, groups(network)...)
	}
	return append(
		f,
		figure{"groups of 1,000: unix socket ÷ TCP", "both", "deliveries/s", "Networks/tcp/group", "Networks/unix/group", nanosAnOp, ">=", 2.2},
		figure{"groups of 1,000: unix socket ÷ TCP, CPU", "both", "s per million", "Networks/unix/group", "Networks/tcp/group", cpuNanosOp, "<=", 0.35},
		figure{"the same of the yardstick: unix socket ÷ TCP", "both", "deliveries/s", "Networks/tcp/yardstick", "Networks/unix/yardstick", nanosAnOp, "", 0},
		figure{"the same of the yardstick: unix socket ÷ TCP, CPU", "both", "s per million", "Networks/unix/yardstick", "Networks/tcp/yardstick", cpuNanosOp, "", 0},
	)
}

// groups are the rows of the sends to groups.
func groups(network string) (f []figure) {
	shown := map[string]string{"tcp": "TCP", "unix": "unix"}[network]
	for _, g := range []struct {
		what, server, yardstick string
		members                 float64
		cpu, p99                float64 // the aims
	}{
		{"512 groups of 2, 64 sends at a time", "PairSend/group/" + network, "PairSend/yardstick/" + network, 2, 0, 0},
		{"a group of 1,000, one send at a time", "GroupSend/group/" + network + "/1000", "GroupSend/yardstick/" + network + "/1000", 1000, 1.2, 1.1},
		{"a group of 1,000, four sends at a time", "GroupSend/group/" + network + "/1000/4-in-flight", "GroupSend/merged/" + network + "/1000/4-in-flight", 1000, 1.25, 0},
		{"a group of 10,000, one send at a time", "GroupSend/group/" + network + "/10000", "GroupSend/yardstick/" + network + "/10000", 10_000, 1.15, 0},
	} {
		f = append(
			f,
			figure{g.what, shown, "deliveries/s", g.server, g.yardstick, deliveries(g.members), "", 0},
			figure{g.what + ", CPU", shown, "s per million", g.server, g.yardstick, cpuPerMillion(g.members), aim(g.cpu), g.cpu},
			figure{g.what + ", p99", shown, "ms", g.server, g.yardstick, p99Millis, aim(g.p99), g.p99},
		)
	}
	return f
}

// aim is the kind of an aim that is a most.
func aim(of float64) string {
	if of == 0 {
		return ""
	}
	return "<="
}

// rows makes the table of some rounds.
func rows(rounds []results) ([]row, error) {
	var all []row
	for _, f := range table() {
		var ours, theirs, ratios []float64
		for _, r := range rounds {
			s, y := r[f.server], r[f.yardstick]
			if s == nil || y == nil {
				return nil, fmt.Errorf("there are no figures of %s or of %s", f.server, f.yardstick)
			}
			a, b := f.value(s), max(0, f.value(y)) // a slope of memory can be below what can be measured
			ours, theirs = append(ours, a), append(theirs, b)
			if b > 0 {
				ratios = append(ratios, a/b)
			}
		}
		one := row{
			What: f.what, Network: f.network, Unit: f.unit, Aim: f.aim, Of: f.of,
			Server: median(ours), Yardstick: median(theirs), Ratio: median(ratios),
		}
		one.Met = f.aim == ">=" && one.Ratio >= f.of || f.aim == "<=" && one.Ratio <= f.of || f.aim == absolute && one.Server <= f.of
		all = append(all, one)
	}
	return all, nil
}

// gate returns an error where a bound is missed that holds on any machine.
func gate(all []row) error {
	var missed []error
	for _, r := range all {
		if r.Aim == absolute && !r.Met {
			missed = append(missed, fmt.Errorf("%s: %.3g %s, %s", r.What, r.Server, r.Unit, r.verdict()))
		}
	}
	return errors.Join(missed...)
}

// verdict says in words whether an aim is met.
func (r *row) verdict() string {
	if r.Aim == "" {
		return ""
	}
	sign, unit, word := "≤", "", "missed"
	switch r.Aim {
	case ">=":
		sign = "≥"
	case absolute:
		unit = " " + r.Unit
	}
	if r.Met {
		word = "met"
	}
	return fmt.Sprintf("%s %s%s: %s", sign, strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", r.Of), "0"), "."), unit, word)
}
