package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/cmd/belleville/bench"
)

func TestParse(t *testing.T) {
	text, err := os.ReadFile("testdata/benchmarks.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := results{
		"Handshake/yardstick/tcp":              {"ns/op": 86000, "cpu-ns/op": 65000, "B/op": 123, "allocs/op": 4},
		"GroupSend/group/tcp/1000/4-in-flight": {"ns/op": 13270517, "cpu-ns/op": 2931500, "p99-ns": 52963964, "us/delivery": 13.24},
		"IdleMemory":                           {"ns/op": 13915964951, "KB-PSS/conn": 1.55},
		"Echo/yardstick/unix/1000":             {"ns/op": 6900},
	}
	if got := parse(text); !maps.EqualFunc(got, want, maps.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// measured is a round in which a server takes so many times what the yardstick takes.
func measured(times float64) results {
	r := results{}
	for _, f := range table() {
		for name, t := range map[string]float64{f.server: times, f.yardstick: 1} {
			if r[name] == nil {
				r[name] = map[string]float64{"ns/op": 1e4 * t, "cpu-ns/op": 5e3 * t, "p99-ns": 1e7 * t, "KB-PSS/conn": t}
			}
		}
	}
	return r
}

func TestRowsAreMediansOfTheRounds(t *testing.T) {
	got, err := rows([]results{measured(4), measured(1.1), measured(1)})
	if err != nil {
		t.Fatal(err)
	}
	find := func(what, network string) row {
		i := slices.IndexFunc(got, func(r row) bool { return r.What == what && r.Network == network })
		if i < 0 {
			t.Fatalf("there is no row %q", what)
		}
		return got[i]
	}
	tests := []struct {
		name, what    string
		server, ratio float64
		met           bool
	}{
		{"a rate is to be high", "handshakes", 1e5 / 1.1, 1 / 1.1, true},
		{"memory is to be low whatever the yardstick's is", "memory of an idle connection, logged in, in two groups", 1.1, 1.1, true},
		{"CPU is to be low", "echo, 1,000 clients, CPU", 5.5, 1.1, true},
		{"a delivery is a part of a send", "a group of 1,000, one send at a time", 1e8 / 1.1, 1 / 1.1, false},
		{"CPU is of a million deliveries", "a group of 1,000, one send at a time, CPU", 0.0055, 1.1, true},
		{"p99 is in milliseconds", "a group of 10,000, one send at a time, p99", 11, 1.1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := find(tt.what, "TCP")
			if !near(r.Server, tt.server) || !near(r.Ratio, tt.ratio) || r.Met != tt.met {
				t.Errorf("got %+v, want %v, ratio %v, met %v", r, tt.server, tt.ratio, tt.met)
			}
		})
	}
}

// near reports whether two numbers are equal but for rounding.
func near(a, b float64) bool { return a > b*0.9999 && a < b*1.0001 }

func TestWhatWasNotMeasuredIsAnError(t *testing.T) {
	r := measured(1)
	delete(r, "IdleMemory")
	if _, err := rows([]results{r}); err == nil || !strings.Contains(err.Error(), "IdleMemory") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyABoundOfTheServerAloneIsAGate(t *testing.T) {
	memory := row{What: "memory", Unit: "KB", Server: 1.62, Aim: absolute, Of: 1.5}
	ratio := row{What: "echo", Ratio: 3, Aim: "<=", Of: 1.3}
	err := gate([]row{memory, ratio})
	if want := "memory: 1.62 KB, ≤ 1.5 KB: missed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	memory.Met = true
	if err := gate([]row{memory, ratio}); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAVerdict(t *testing.T) {
	tests := []struct {
		name string
		row
		want string
	}{
		{"without an aim", row{}, ""},
		{"met", row{Aim: ">=", Of: 0.8, Met: true}, "≥ 0.8: met"},
		{"missed", row{Aim: "<=", Of: 1.25}, "≤ 1.25: missed"},
		{"of the server alone", row{Aim: absolute, Of: 1.5, Unit: "KB", Met: true}, "≤ 1.5 KB: met"},
		{"a whole number", row{Aim: "<=", Of: 2}, "≤ 2: missed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.verdict(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	f := figures{
		Machine: machine{"2026-01-02", 2, "AMD EPYC", "Linux 6.18", "go1.26", 0.5}, Rounds: 3,
		Rows: []row{
			{"handshakes", "TCP", "/s", 12_345, 15_000, 0.823, ">=", 0.8, true},
			{"memory", "TCP", "KB", 1.25, 0, 0, absolute, 1.5, true},
			{"groups of 1,000: unix socket ÷ TCP", "both", "", 1, 2, 2.5, ">=", 2.2, true},
		},
		Program: []whole{{"echo", "unix", bench.Report{
			Messages: &bench.Messages{Sent: 10, Returned: 9, PerSecond: 150.4, Latency: bench.Latency{P50: 0.5, P99: 12.34, Max: 1234}},
		}}},
	}
	got := f.markdown()
	for _, want := range []string{
		"2026-01-02: 2 × AMD EPYC, Linux 6.18, go1.26. Medians of 3 round(s); before each of them other programs took up to 50 % of the machine.\n",
		"**These figures are preliminary**",
		"| handshakes | TCP | 12,350 /s | 15,000 /s | 0.82 | ≥ 0.8: met |\n",
		"| memory | TCP | 1.25 KB | 0.00 KB |  | ≤ 1.5 KB: met |\n",
		"| groups of 1,000: unix socket ÷ TCP | both |  |  | 2.50 | ≥ 2.2: met |\n",
		"| echo | unix | 150 | 0.50 | 12.3 | 1,230 | 1 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if f.Machine.Busy = 0.1; strings.Contains(f.markdown(), "preliminary") {
		t.Error("figures of a quiet machine are called preliminary")
	}
}

func TestReplace(t *testing.T) {
	got, err := replace("a\n"+begins+"old\n"+ends+"b\n", "new\n")
	if want := "a\n" + begins + "\nnew\n\n" + ends + "b\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if again, err := replace(got, "new\n"); err != nil || again != got {
		t.Errorf("again: %q, %v", again, err)
	}
	for _, text := range []string{"", begins, ends, ends + begins} {
		if _, err := replace(text, "new"); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestTheDocumentHasATable(t *testing.T) {
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replace(string(text), ""); err != nil {
		t.Error(err)
	}
}

func TestFiguresAreJSON(t *testing.T) {
	all, err := rows([]results{measured(2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(figures{Rows: all}); err != nil {
		t.Error(err)
	}
}
