package sessionstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
)

// Keys that were chosen to be alike where a hash without a seed would look, such as in their last bits, are spread over
// the table like others.
func TestT39NobodyChoosesTheSlotOfAUser(t *testing.T) {
	users := chaos.Size(1_000_000, 20_000)
	tests := []struct {
		name string
		pk   func(i int) djangocompat.PK
	}{
		{"numbers that end in 32 zero bits", func(i int) djangocompat.PK { return djangocompat.IntPK(int64(i) << 32) }},
		{"texts of one CRC-32", func(i int) djangocompat.PK { return djangocompat.TextPK(sameCRC(i)) }},
	}
	if a, b := crc32.ChecksumIEEE([]byte(sameCRC(1))), crc32.ChecksumIEEE([]byte(sameCRC(2))); a != b {
		t.Fatalf("the texts have CRC-32s of their own: %x, %x", a, b)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const stretches = 64
			k, held := newKnown(), make([]*djangocompat.User, users)
			for i := range held {
				held[i] = k.share(&djangocompat.User{PK: tt.pk(i)}, "b")
			}
			var loads [stretches]int
			var empty weak.Pointer[djangocompat.User]
			for i, w := range k.slots {
				if w != empty {
					loads[i*stretches/len(k.slots)]++
				}
			}
			runtime.KeepAlive(held)
			factor := float64(slices.Max(loads[:])) / (float64(users) / stretches)
			chaos.Row(t, factor <= 1.5, "T39", fmt.Sprintf("%d users whose keys are %s", users, tt.name), fmt.Sprintf("the fullest of %d parts of the table has %.2f times the mean", stretches, factor), "1.5 times")
		})
	}
}

// sameCRC returns the text with a number among some that have one CRC-32.
func sameCRC(i int) string {
	text := binary.BigEndian.AppendUint32(nil, uint32(i))
	sum := ^crc32.ChecksumIEEE(text)
	return string(binary.LittleEndian.AppendUint32(text, sum)) // which brings the sum to where it begins
}
