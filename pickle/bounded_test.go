package pickle_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/pickle"
)

// repeat is a pickle of pieces, each of them repeated.
func repeat(pieces ...any) []byte {
	var data []byte
	for i := 0; i < len(pieces); i += 2 {
		data = append(data, bytes.Repeat([]byte(pieces[i].(string)), pieces[i+1].(int))...)
	}
	return data
}

// binUnicode is a BINUNICODE of n letters, and the opcodes that remember it under memo.
func binUnicode(letter string, n int, memo byte) string {
	length := binary.LittleEndian.AppendUint32(nil, uint32(n))
	return "X" + string(length) + strings.Repeat(letter, n) + "q" + string(rune(memo))
}

// bombs are small pickles that ask for much work or memory.
func bombs() map[string][]byte {
	nan := "G\x7f\xf8\x00\x00\x00\x00\x00\x00"
	var nest strings.Builder
	nest.WriteString("\x80\x04)\x94")
	for i := range 60 {
		fmt.Fprintf(&nest, "0h%ch%c\x86\x94", rune(i), rune(i))
	}
	long1 := "\x8a\x7f" + strings.Repeat("\x55", 127)
	long4 := string(binary.LittleEndian.AppendUint32([]byte{0x8b}, 60_000)) + strings.Repeat("\x55", 60_000)
	return map[string][]byte{
		"40000 NaN keys":                     repeat("\x80\x04}(", 1, nan+"N", 40_000, "u.", 1),
		"100000 NaN members":                 repeat("\x80\x04\x8f(", 1, nan, 100_000, "\x90.", 1),
		"a nest of shared tuples as a key":   []byte("\x80\x04}" + nest.String() + "Ns."),
		"a nest of shared tuples in a set":   []byte("\x80\x04\x8f(" + nest.String() + "\x90."),
		"the same long key again and again":  repeat(binUnicode("k", 500_000, 0)+"0}", 1, "h\x00Ns", 120_000, ".", 1),
		"two long keys that differ late":     repeat(binUnicode("k", 250_000, 0)+binUnicode("k", 250_001, 1)+"00}", 1, "h\x00Nsh\x01Ns", 60_000, ".", 1),
		"a long Decimal again and again":     repeat(binUnicode("9", 500_000, 0)+"0cdecimal\nDecimal\nq\x010(", 1, "h\x01h\x00\x85R", 70_000, "l.", 1),
		"a long Decimal as a key":            repeat("cdecimal\nDecimal\n", 1, binUnicode("9", 500_000, 0)+"\x85Rq\x010}", 1, "h\x01Ns", 120_000, ".", 1),
		"long bytes again and again":         repeat(binUnicode("a", 500_000, 0)+"0c_codecs\nencode\nq\x01X\x06\x00\x00\x00latin1q\x02(", 1, "h\x01h\x00h\x02\x86R", 60_000, "l.", 1),
		"a long name of a class again":       repeat("\x80\x02"+binUnicode("a", 500_000, 0)+"0(", 1, "h\x00h\x00\x93", 100_000, "l.", 1),
		"a long int as a key":                repeat("\x80\x02"+long4+"q\x000}", 1, "h\x00Ns", 200_000, ".", 1),
		"a megabyte of ints of 127 bytes":    repeat("\x80\x02(", 1, long1, 8000, "l.", 1),
		"a megabyte of ints of 60000 bytes":  repeat("\x80\x02(", 1, long4, 17, "l.", 1),
		"a megabyte of ints of 4300 digits":  repeat("(", 1, "L"+strings.Repeat("7", 4300)+"L\n", 240, "l.", 1),
		"a set of a list again and again":    repeat("\x80\x02](", 1, "K\x01", 1000, "eq\x000c__builtin__\nset\nq\x010(", 1, "h\x01h\x00\x85R", 160_000, "l.", 1),
		"a class in each of 100000 calls":    repeat("\x80\x02cx\ny\nq\x000(", 1, "h\x00)R", 100_000, "l.", 1),
		"a call that fills itself":           repeat("\x80\x02cx\ny\n)Rq\x00(", 1, "h\x00", 300_000, "e.", 1),
		"a state again and again":            repeat("\x80\x02cx\ny\n)R", 1, "}b", 300_000, ".", 1),
		"globals of Python 2":                repeat("(", 1, "c__builtin__\nlong\n", 50_000, "l.", 1),
		"tuples of the whole stack":          repeat("(", 1, "K\x01", 1000, "t(", 1, "K\x01t(", 200_000, "l.", 1),
		"frozensets in frozensets":           repeat("\x80\x04(\x91q\x00", 1, "0(h\x00\x85h\x00\x91q\x00", 90_000, ".", 1),
		"dates again and again":              repeat("\x80\x04cdatetime\ndate\nq\x000C\x04\x07\xe8\x01\x01q\x01", 1, "0h\x00h\x01\x85R", 100_000, ".", 1),
		"a million memo entries":             repeat("\x80\x04N", 1, "\x94", 1_000_000, ".", 1),
		"memo numbers that are far apart":    repeat("N", 1, "r\xff\xff\xff\x7fr\xff\xff\xff\x6fr\xff\xff\x00\x7f", 70_000, ".", 1),
		"escapes":                            repeat("V", 1, `\u00ff`, 170_000, "\n.", 1),
		"quoted escapes":                     repeat("S'", 1, `\x41`, 250_000, "'\n.", 1),
		"a million frames":                   repeat("\x95\x00\x00\x00\x00\x00\x00\x00\x00", 110_000, "N.", 1),
		"a string of surrogates":             repeat("X\x3f\x42\x0f\x00", 1, "\xed\xa0\x80", 333_333, ".", 1),
		"ints that are true, as keys":        repeat("\x80\x02}", 1, "\x88NsK\x01NsI1\nNs", 100_000, ".", 1),
		"lists in a list by text":            repeat("(", 1, "(l", 500_000, "l.", 1),
		"a million small ints":               repeat("(", 1, "K\x07", 500_000, "l.", 1),
		"a dict of 100000 short keys":        manyKeys(100_000),
		"100000 frozensets, each in a tuple": repeat("\x80\x04(", 1, "(\x91\x85", 100_000, "\x91.", 1),
	}
}

func manyKeys(n int) []byte {
	data := []byte("\x80\x04}(")
	for i := range n {
		data = fmt.Appendf(append(data, 0x8c, 6), "%06d", i)
		data = append(data, 'N')
	}
	return append(data, "u."...)
}

// TestT14DecodeIsBounded is security row T14: 50 ms of CPU and 16 MB of allocations for a MiB of pickle, whatever is in it.
func TestT14DecodeIsBounded(t *testing.T) {
	cases := bombs()
	var mostCPU time.Duration
	var mostAllocated float64
	for _, v := range loadVectors(t, "hostile") {
		cases[v.Name] = v.pickle
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			mebibytes := max(1, float64(len(data))/(1<<20))
			cpu, allocated, v, err := measure(data)
			t.Logf("%d bytes: %v, %d bytes allocated, %s, %v", len(data), cpu, allocated, outcome(v, err), err)
			mostCPU, mostAllocated = max(mostCPU, time.Duration(float64(cpu)/mebibytes)), max(mostAllocated, float64(allocated)/mebibytes)
			if limit := 16e6 * mebibytes; float64(allocated) > limit {
				t.Errorf("Decode allocates %d bytes, want at most %.0f", allocated, limit)
			}
			if limit := 0.050 * mebibytes; !raceEnabled && cpu.Seconds() > limit {
				t.Errorf("Decode takes %v, want at most %.3fs", cpu, limit)
			}
			if err != nil {
				checkRefused(t, err)
				return
			}
			start := time.Now()
			useAll(v)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("printing and encoding take %v", took)
			}
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T14", fmt.Sprintf("%d pickles that ask for much", len(cases)),
		fmt.Sprintf("at most %.1f ms of CPU and %.1f MB allocated for a MiB", mostCPU.Seconds()*1000, mostAllocated/1e6), "50 ms, 16 MB")
}

// measure decodes data. The CPU time is the least of a few runs, so that what else the machine does
// does not count.
func measure(data []byte) (cpu time.Duration, allocated uint64, v any, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpu = time.Hour
	runs := 5
	if raceEnabled {
		runs = 1
	}
	for range runs {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := threadTime()
		v, err = pickle.Decode(data, pickle.Config{})
		cpu = min(cpu, threadTime()-start)
		runtime.ReadMemStats(&after)
		allocated = after.TotalAlloc - before.TotalAlloc
	}
	return cpu, allocated, v, err
}

// threadTime is the CPU time of the thread. What getrusage says of one is as old as the last tick of the clock.
func threadTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		panic(err)
	}
	return time.Duration(now.Nano())
}

func TestConfigBounds(t *testing.T) {
	nested := repeat("\x80\x02", 1, "]", 100, "a", 99, ".", 1)
	tests := []struct {
		name   string
		data   []byte
		tight  pickle.Config
		enough pickle.Config
	}{
		{"bytes", nested, pickle.Config{MaxBytes: 201}, pickle.Config{MaxBytes: 202}},
		{"operations", nested, pickle.Config{MaxOps: 200}, pickle.Config{MaxOps: 201}},
		{"elements", nested, pickle.Config{MaxElements: 98}, pickle.Config{MaxElements: 99}},
		{"memo entries", repeat("\x80\x04N", 1, "\x94", 50, ".", 1), pickle.Config{MaxMemo: 49}, pickle.Config{MaxMemo: 50}},
		{"depth", nested, pickle.Config{MaxDepth: 98}, pickle.Config{MaxDepth: 100}},
		{
			"depth by references", repeat("\x80\x04]\x94]\x94]\x94000h\x00h\x01ah\x01h\x02ah\x00.", 1),
			pickle.Config{MaxDepth: 1},
			pickle.Config{MaxDepth: 3},
		},
		{"memory", nested, pickle.Config{MaxMemory: 2000}, pickle.Config{MaxMemory: 20_000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := pickle.Decode(tt.data, tt.tight); !errors.Is(err, pickle.ErrLimit) {
				t.Errorf("Decode with %+v = %v, want ErrLimit", tt.tight, err)
			}
			if _, err := pickle.Decode(tt.data, tt.enough); err != nil {
				t.Errorf("Decode with %+v = %v", tt.enough, err)
			}
		})
	}
}
