// Package layerbench measures what a channel layer costs between a Django site and the WebSockets that Belleville holds
// for it: the benchmark of docs/layers.md, which is this package's test.
//
// Start with [Results]. The measuring itself is in the tests: `make bench-layers` runs it in full and writes its
// figures into the document; `make test` runs it small.
package layerbench

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The gates of what Django may pay for many members, compared with one.
const (
	MaxCPURatio  = 1.15
	MaxMoreBytes = 200
)

// Results are the figures of all layers on one machine on one day.
type Results struct {
	Machine string    `json:"machine"`
	Parts   string    `json:"parts"`
	Date    string    `json:"date"`
	Load    string    `json:"load_average_before"`
	Layers  []Figures `json:"layers"`
}

// Figures are those of one layer.
type Figures struct {
	Layer  string `json:"layer"`
	Sender string `json:"sender"`

	PerSecond float64       `json:"messages_per_second"`
	P50       time.Duration `json:"latency_p50_ns"`
	P99       time.Duration `json:"latency_p99_ns"`

	Deliveries    float64 `json:"deliveries_per_second"`
	CPUPerMillion float64 `json:"cpu_seconds_per_million_deliveries"`
	Lost          int     `json:"lost"`
	Costs         []Cost  `json:"costs_of_a_group_send,omitempty"`
}

// Cost is what one group_send costs its sender.
type Cost struct {
	Members  string        `json:"members"`
	CPU      time.Duration `json:"cpu_ns"`
	Wall     time.Duration `json:"wall_ns"`
	CPURatio float64       `json:"cpu_ratio"` // to a group of one member
	Sent     int           `json:"bytes_sent"`
	Received int           `json:"bytes_received"`
}

// Problems returns what misses a gate.
func (f Figures) Problems() []string {
	var list []string
	if f.Lost > 0 {
		list = append(list, fmt.Sprintf("%s: %d messages were lost", f.Layer, f.Lost))
	}
	for _, c := range f.Costs {
		if c.CPURatio > MaxCPURatio {
			list = append(list, fmt.Sprintf("%s, %s: %.2f times the CPU of a group of one, want at most %.2f", f.Layer, c.Members, c.CPURatio, MaxCPURatio))
		}
		if more := c.Sent - f.Costs[0].Sent; more > MaxMoreBytes {
			list = append(list, fmt.Sprintf("%s, %s: %d bytes more than to a group of one, want at most %d", f.Layer, c.Members, more, MaxMoreBytes))
		}
	}
	return list
}

// Markdown returns the figures as the tables of the document.
func (r Results) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %s; %s; load average before: %s.\n\n", r.Machine, r.Parts, r.Date, r.Load)
	b.WriteString("| layer | sender | messages/s | added latency p50 | p99 | 10,000 sockets: deliveries/s | CPU s per million |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, f := range r.Layers {
		fmt.Fprintf(&b, "| %s | %s | %.0f | %s | %s | %.0f | %.2f |\n", f.Layer, f.Sender, f.PerSecond, millis(f.P50), millis(f.P99),
			f.Deliveries, f.CPUPerMillion)
	}
	b.WriteString("\nWhat one `group_send` costs Django:\n\n| layer | members | CPU | ÷ one member | until it returns | bytes sent | bytes received |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, f := range r.Layers {
		for _, c := range f.Costs {
			fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %s | %d | %d |\n", f.Layer, c.Members, millis(c.CPU), c.CPURatio, millis(c.Wall), c.Sent, c.Received)
		}
	}
	return b.String()
}

// JSON returns the figures for programs.
func (r Results) JSON() string {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err.Error() // which a test shows
	}
	return string(text)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3) }

// The markers between which a document has the figures.
const (
	beginMarker = "<!-- bench-layers: begin -->\n"
	endMarker   = "<!-- bench-layers: end -->"
)

var errNoMarkers = errors.New("layerbench: the document has no place for figures")

// Insert returns a document with other figures in their place.
func Insert(document, figures string) (string, error) {
	before, rest, ok := strings.Cut(document, beginMarker)
	_, after, okEnd := strings.Cut(rest, endMarker)
	if !ok || !okEnd {
		return "", errNoMarkers
	}
	return before + beginMarker + "\n" + figures + "\n" + endMarker + after, nil
}
