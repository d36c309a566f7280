package sessionstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/belleville/belleville/djangocompat"
)

// Keys that were chosen to be alike where a hash without a seed would look, such as in their last bits, are spread over
// the table like others.
func TestT39NobodyChoosesTheSlotOfAUser(t *testing.T) {
	users := 20_000
	if os.Getenv("BELLEVILLE_CHAOS") == "full" {
		users = 1_000_000
	}
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
			verdict := "pass"
			if factor > 1.5 {
				verdict = "FAIL"
				t.Errorf("the fullest part of the table has %.2f times the mean, want at most 1.5", factor)
			}
			fmt.Printf("T39 %s | %d users whose keys are %s | the fullest of %d parts of the table has %.2f times the mean | 1.5 times\n", verdict, users, tt.name, stretches, factor)
		})
	}
}

// sameCRC returns the text with a number among some that have one CRC-32.
func sameCRC(i int) string {
	text := binary.BigEndian.AppendUint32(nil, uint32(i))
	sum := ^crc32.ChecksumIEEE(text)
	return string(binary.LittleEndian.AppendUint32(text, sum)) // which brings the sum to where it begins
}
