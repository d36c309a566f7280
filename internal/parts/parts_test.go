package parts_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
)

// verdict records how Need ended a test.
type verdict struct {
	testing.TB
	said string
}

func (*verdict) Helper()                     {}
func (v *verdict) Skipf(f string, a ...any)  { v.said = "skip: " + fmt.Sprintf(f, a...) }
func (v *verdict) Fatalf(f string, a ...any) { v.said = "fail: " + fmt.Sprintf(f, a...) }

func TestNeed(t *testing.T) {
	missing := fmt.Errorf("%w: apt-get install postgresql", parts.ErrMissing)
	tests := []struct {
		name string
		ci   string
		err  error
		want string
	}{
		{"a part that is there says nothing", "true", nil, ""},
		{"a missing part skips on a laptop", "", missing, "skip: this test needs x: not installed: apt-get install postgresql"},
		{"a missing part fails in CI", "true", missing, "fail: this test needs x: not installed: apt-get install postgresql"},
		{"a broken part fails everywhere", "", errors.New("broken"), "fail: this test needs x: broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CI", tt.ci)
			got := &verdict{TB: t}
			parts.Need(got, "x", tt.err)
			if got.said != tt.want {
				t.Errorf("Need said %q, want %q", got.said, tt.want)
			}
		})
	}
}

func TestProcess(t *testing.T) {
	t.Run("Stop ends the program", func(t *testing.T) {
		p, err := parts.Start(parts.Account{}, exec.Command("sleep", "600"))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Stop(); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		select {
		case <-p.Ended():
		default:
			t.Error("Ended() is open after Stop, want it closed")
		}
	})
	t.Run("Stop tells of a program that ended by itself", func(t *testing.T) {
		p, err := parts.Start(parts.Account{}, exec.Command("sh", "-c", "exit 3"))
		if err != nil {
			t.Fatal(err)
		}
		<-p.Ended()
		if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("Stop() = %v, want an error with the exit status", err)
		}
	})
	t.Run("a program that is not there is an error", func(t *testing.T) {
		if _, err := parts.Start(parts.Account{}, exec.Command("/nonexistent/program")); err == nil {
			t.Error("Start() = nil, want an error")
		}
	})
}

// TestGuard runs this test binary again, as a process that starts a program and is then killed.
func TestGuard(t *testing.T) {
	if os.Getenv("PARTS_TEST_VICTIM") != "" {
		victim(t)
		return
	}
	fifo := filepath.Join(t.TempDir(), "alive")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestGuard$")
	cmd.Env = append(os.Environ(), "PARTS_TEST_VICTIM="+fifo)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // also where the test fails half-way
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)    // both ends: opening waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	if err := f.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := lines.ReadString('\n'); got != "running\n" {
		t.Fatalf("the program said %q, %v, want \"running\"", got, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if got, err := lines.ReadString('\n'); got != "cleaned up\n" {
		t.Errorf("after the kill came %q, %v, want \"cleaned up\"", got, err)
	}
}

func victim(t *testing.T) {
	fifo := os.Getenv("PARTS_TEST_VICTIM")
	if _, err := parts.NewGuard(parts.Account{}, `echo "cleaned up" > "$1"`, fifo); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", `echo running > "$1"`, "sh", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	select {} // until killed
}
