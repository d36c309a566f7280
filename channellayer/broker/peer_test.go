package broker_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/belleville/belleville/internal/parts"
)

const (
	// python is Debian's, which has Debian's channels_redis.
	python = "/usr/bin/python3"

	// peerProgram is a process of a Django site, as far as its channel layer goes.
	peerProgram = "../redislayer/testdata/peer.py"
)

// peer is such a process.
type peer struct {
	*testing.T
	orders  *json.Encoder
	answers *bufio.Scanner
}

// startPeer starts a Python process with a layer of the form "core" or "pubsub". Without channels_redis it skips the
// test, or fails it in CI.
func startPeer(t *testing.T, form string, config map[string]any) *peer {
	t.Helper()
	if err := exec.Command(python, "-c", "import channels_redis, cryptography").Run(); err != nil {
		parts.Need(t, "channels_redis", fmt.Errorf("%w: channels_redis for %s (Debian's package python3-channels-redis)", parts.ErrMissing, python))
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, peerProgram, form, string(text))
}

// startProgram starts a Python process that is given orders.
func startProgram(t *testing.T, args ...string) *peer {
	t.Helper()
	cmd := exec.Command(python, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := parts.Start(parts.Account{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Kill() }) // it may have ended
	answers := bufio.NewScanner(stdout)
	answers.Buffer(nil, 8<<20)
	return &peer{T: t, orders: json.NewEncoder(stdin), answers: answers}
}

// order is what a peer is asked to do.
type order struct {
	Call    string `json:"call"`
	Args    []any  `json:"args"`
	Message string `json:"message,omitempty"` // a Python literal
}

// call has the peer call a method of its layer, and returns the answer as JSON.
func (p *peer) call(t testing.TB, name, message string, args ...any) string {
	t.Helper()
	if args == nil {
		args = []any{}
	}
	if err := p.orders.Encode(order{name, args, message}); err != nil {
		t.Fatal(err)
	}
	if !p.answers.Scan() {
		t.Fatalf("the Python process ended at %s: %v", name, p.answers.Err())
	}
	return p.answers.Text()
}

// newChannel returns a new channel of the peer's.
func (p *peer) newChannel(t testing.TB) (name string) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.call(t, "new_channel", "")), &name); err != nil {
		t.Fatal(err)
	}
	return name
}

// receive returns the next event of a channel as a Python literal, or "" where none came in time.
func (p *peer) receive(t testing.TB, channel string, seconds float64) string {
	t.Helper()
	var answer *string
	if err := json.Unmarshal([]byte(p.call(t, "receive", "", channel, seconds)), &answer); err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		return ""
	}
	return *answer
}
