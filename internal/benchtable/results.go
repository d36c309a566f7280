package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// results are the figures of one round: by the name of a benchmark, by unit.
type results map[string]map[string]float64

// chosen are the benchmarks that the table needs, with how much longer than others they run in a round. A part of a pattern
// counts for names of as many levels as it has.
var chosen = []struct {
	pattern string
	times   time.Duration
}{
	{"^BenchmarkHandshake$/^(yardstick|no-session|postgres)$/.|" +
		"^BenchmarkEcho$/././^1000$|^BenchmarkNetworks$|" +
		"^BenchmarkPairSend$/./.|^BenchmarkPlainMemory$/./.|^BenchmarkIdleMemory$", 1},
	// 99 of 100 sends are to be more than all that there were.
	{"^BenchmarkGroupSend$/^(yardstick|group)$/./^(1000|10000)$|" +
		"^BenchmarkGroupSend$/^(merged|group)$/./^1000$/^4-in-flight$", 3},
}

// build builds the benchmarks and the program.
func build(ctx context.Context, tests, program string) error {
	for _, args := range [][]string{
		{"test", "-c", "-o", tests, "./server"},
		{"build", "-o", program, "./cmd/belleville"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go %s: %w", args[0], err)
		}
	}
	return nil
}

// measure runs the benchmarks once.
func measure(ctx context.Context, tests string, benchtime time.Duration) (results, error) {
	var out bytes.Buffer
	for _, c := range chosen {
		cmd := exec.CommandContext(ctx, tests, "-test.run=^$", "-test.bench="+c.pattern, "-test.benchtime="+(c.times*benchtime).String())
		cmd.Dir, cmd.Stderr = "server", os.Stderr
		cmd.Stdout = io.MultiWriter(&out, os.Stderr) // so that one sees how far it is
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("the benchmarks: %w", err)
		}
	}
	return parse(out.Bytes()), nil
}

// parse reads what a test program prints of its benchmarks.
func parse(out []byte) results {
	r := results{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		name, rest, found := strings.Cut(lines.Text(), "\t")
		name, ours := strings.CutPrefix(strings.TrimSpace(name), "Benchmark")
		if !found || !ours {
			continue
		}
		if base, processors, cut := cutLast(name, "-"); cut && isNumber(processors) {
			name = base
		}
		units := map[string]float64{}
		fields := strings.Fields(rest)
		for i := 1; i+1 < len(fields); i += 2 { // the first is how many there were
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				units[fields[i+1]] = value
			}
		}
		r[name] = units
	}
	return r
}

// cutLast cuts a text at the last sep.
func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

// isNumber reports whether a text is one.
func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// median returns the one in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
