package layerbench_test

import (
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/layerbench"
)

func TestInsert(t *testing.T) {
	const begin, end = "<!-- bench-layers: begin -->\n", "<!-- bench-layers: end -->"
	tests := []struct {
		name, document, want string
	}{
		{"old figures give way", "a\n" + begin + "old\n" + end + "\nz\n", "a\n" + begin + "\nnew\n" + end + "\nz\n"},
		{"a document without a place for them", "a\n", ""},
		{"a place that does not end", begin + "old", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := layerbench.Insert(tt.document, "new")
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("Insert = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	one := layerbench.Cost{Members: "1", CPU: time.Millisecond, CPURatio: 1, Sent: 500}
	tests := []struct {
		name string
		many layerbench.Cost
		lost int
		want int
	}{
		{"as one member", layerbench.Cost{CPURatio: 1.15, Sent: 700}, 0, 0},
		{"more CPU", layerbench.Cost{CPURatio: 1.2, Sent: 500}, 0, 1},
		{"more bytes", layerbench.Cost{CPURatio: 1, Sent: 701}, 0, 1},
		{"messages were lost", layerbench.Cost{CPURatio: 1, Sent: 500}, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := layerbench.Figures{Layer: "l", Lost: tt.lost, Costs: []layerbench.Cost{one, tt.many}}
			if got := f.Problems(); len(got) != tt.want {
				t.Errorf("Problems = %q, want %d", got, tt.want)
			}
			r := layerbench.Results{Layers: []layerbench.Figures{f}}
			if text := r.Markdown(); !strings.Contains(text, "| l | 1 | 1.00 ms |") {
				t.Errorf("Markdown = %s", text)
			}
		})
	}
}
