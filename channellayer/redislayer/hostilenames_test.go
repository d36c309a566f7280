package redislayer

import (
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/belleville/belleville/internal/chaos"
)

// Groups that were chosen so that CRC-32 puts all of them into one lane are spread over the lanes like others.
func TestT39NobodyChoosesTheLaneOfAGroup(t *testing.T) {
	groups := chaos.Size(1_000_000, 100_000)
	for _, lanes := range []int{2, 4, maxLanes} {
		t.Run(fmt.Sprint(lanes, " lanes"), func(t *testing.T) {
			n := newNodeNames("web-1", lanes, 1)
			loads, most := make(map[string]int), 0
			for i, found := 0, 0; found < groups; i++ {
				group := fmt.Sprint("chat_", i)
				if crc32.ChecksumIEEE([]byte(group))%uint32(lanes) != 0 {
					continue
				}
				found++
				inbox := n.inboxOf(group)
				loads[inbox]++
				most = max(most, loads[inbox])
			}
			factor := float64(most) / (float64(groups) / float64(lanes))
			chaos.Row(t, factor <= 1.5, "T39", fmt.Sprintf("%d groups of one CRC-32 in %d lanes of Redis", groups, lanes), fmt.Sprintf("the fullest has %.2f times the mean", factor), "1.5 times")
		})
	}
}
