package chaos_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/internal/chaos"
)

func TestChecker(t *testing.T) {
	const gap = -1
	tests := []struct {
		name string
		came []int64
		sent int64
		want chaos.Verdict
	}{
		{"all is well", []int64{0, 1, 2}, 3, chaos.Verdict{Come: 3}},
		{"a loss that was announced", []int64{0, gap, 3}, 4, chaos.Verdict{Come: 2, Lost: 2, Gaps: 1}},
		{"a loss in silence", []int64{0, 2}, 3, chaos.Verdict{Come: 2, Lost: 1, Silent: []string{"a/1"}}},
		{"a gap long ago announces nothing", []int64{gap, 0, 2}, 3, chaos.Verdict{Come: 2, Lost: 1, Gaps: 1, Silent: []string{"a/1"}}},
		{"the last ones are lost", []int64{0}, 3, chaos.Verdict{Come: 1, Lost: 2, Silent: []string{"a/1", "a/2"}}},
		{"the last ones are lost, which is announced", []int64{0, gap}, 3, chaos.Verdict{Come: 1, Lost: 2, Gaps: 1}},
		{"twice", []int64{0, 1, 1}, 2, chaos.Verdict{Come: 2, Doubled: []string{"a/1"}}},
		{"one that its sender knows to have failed", []int64{0, 1, 2, 3, 4, 5, 6, 8}, 9, chaos.Verdict{Come: 8}},
		{"swapped", []int64{0, gap, 2, 1}, 3, chaos.Verdict{Come: 3, Gaps: 1, Swapped: []string{"a/1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c chaos.Checker
			for _, n := range tt.came {
				e := chaos.Numbered("a", n)
				if n == gap {
					e = channellayer.Event{"type": channellayer.GapType}
				}
				c.Receive(channellayer.NewDelivery(e, time.Time{}), 100)
			}
			if got := c.Verdict(map[string]chaos.Sent{"a": {Count: tt.sent, Failed: map[int64]bool{7: true}}}); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
