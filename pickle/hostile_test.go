package pickle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/pickle"
)

// childMemory is set in the environment of a child that decodes a hostile pickle: how many MB it may take.
const childMemory = "PICKLE_TEST_CHILD_MB"

// TestMain is the child's main function too.
func TestMain(m *testing.M) {
	if megabytes := os.Getenv(childMemory); megabytes != "" {
		os.Exit(hostileChild(megabytes))
	}
	os.Exit(m.Run())
}

// outcome is what became of a pickle: error, value, or opaque where a part of it stays a call.
func outcome(v any, err error) string {
	if err != nil {
		return "error"
	}
	if text, _ := pickle.AppendJSON(nil, v, 1<<20); bytes.Contains(text, []byte(`{"$type":"opaque"`)) {
		return "opaque"
	}
	return "value"
}

// useAll does with v whatever a program might: print it, show it, write it.
func useAll(v any) {
	_ = fmt.Sprintf("%v %+v %#v %s %d %q", v, v, v, v, v, v)
	_ = fmt.Sprint([]any{v})
	_, _ = json.Marshal(v)
	_, _ = pickle.Encode(v)
}

// TestT12HostilePicklesInAProcessOfTheirOwn is security row T12: hostile pickles are decoded and used in a process that
// may take only so much memory, and that the kernel kills when it opens a file, starts a program or a connection.
func TestT12HostilePicklesInAProcessOfTheirOwn(t *testing.T) {
	outcomes, all := make(map[string]int), loadVectors(t, "hostile")
	for _, tt := range all {
		t.Run(tt.Name, func(t *testing.T) {
			limit := time.Duration(tt.expect.MaxSeconds * float64(time.Second))
			if raceEnabled {
				limit *= 4
			}
			got, err := runChild(t, tt.pickle, tt.expect.MaxMemoryMB, limit)
			if err != nil {
				t.Fatalf("the process did not live: %v\n%s", err, got)
			}
			if !slices.Contains(tt.expect.Allowed, got) {
				t.Errorf("the pickle gives %q, allowed are %q", got, tt.expect.Allowed)
			}
			outcomes[got]++
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T12", fmt.Sprintf("%d hostile pickles, each decoded and used in a process that may open, start and connect to nothing", len(all)),
		fmt.Sprintf("%d refused, %d read, %d left as calls that nobody makes; no file, no process, no connection", outcomes["error"], outcomes["value"], outcomes["opaque"]), "nothing called")
}

func runChild(t *testing.T, input []byte, megabytes int, limit time.Duration) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childMemory+"="+strconv.Itoa(megabytes), "GORACE=atexit_sleep_ms=0")
	child.Stdin = bytes.NewReader(input)
	out, err := child.CombinedOutput()
	return string(out), errors.Join(err, ctx.Err())
}

// hostileChild decodes the pickle on its standard input and prints the outcome.
func hostileChild(megabytes string) int {
	input := new(bytes.Buffer)
	if _, err := input.ReadFrom(os.Stdin); err != nil {
		return failed(err)
	}
	limit, err := strconv.ParseUint(megabytes, 10, 32)
	if err != nil {
		return failed(err)
	}
	if err := limitMemory(limit << 20); err != nil {
		return failed(err)
	}
	if err := forbidSystemCalls(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return failed(err)
	}
	if input.String() == openAFile {
		_, _ = os.Open(os.DevNull)
		return 0
	}
	if input.String() == takeMemory {
		big := make([]byte, 2*limit<<20)
		for i := 0; i < len(big); i += 4096 {
			big[i] = 1
		}
		return 0
	}
	v, err := pickle.Decode(input.Bytes(), pickle.Config{})
	useAll(v)
	fmt.Print(outcome(v, err))
	return 0
}

func failed(err error) int {
	fmt.Print(err)
	return 1
}

// limitMemory lets the data of the process grow by n bytes from now on.
func limitMemory(n uint64) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes uint64
		if _, err := fmt.Sscanf(line, "VmData: %d kB", &kilobytes); err == nil {
			n += kilobytes << 10
			return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: n, Max: n})
		}
	}
	return errors.New("no VmData in /proc/self/status")
}

// What the child is told to do, to see that it is watched.
const (
	openAFile  = "open a file"
	takeMemory = "take twice the memory"
)

func TestTheProcessForHostilePicklesIsWatched(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the filter on system calls is written for linux/amd64")
	}
	if out, err := runChild(t, []byte(openAFile), 64, 20*time.Second); err == nil {
		t.Errorf("a child that opens a file lives: %s", out)
	} else if !strings.Contains(err.Error(), "bad system call") {
		t.Errorf("a child that opens a file ends with %v, want bad system call: %.300s", err, out)
	}
	if out, err := runChild(t, []byte(takeMemory), 64, 20*time.Second); err == nil {
		t.Errorf("a child that takes twice its memory lives: %s", out)
	}
}
