package redislayer_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
)

// python is Debian's, which has Debian's channels_redis.
const python = "/usr/bin/python3"

// peer is a process of a Django site, as far as its channel layer goes.
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
	cmd := exec.Command(python, "testdata/peer.py", form, string(text))
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
	t.Cleanup(func() {
		_ = process.Kill() // a test may have made it fail
	})
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

// do has the peer call a method of its layer.
func (p *peer) do(o order, answer any) {
	p.Helper()
	if o.Args == nil {
		o.Args = []any{}
	}
	if err := p.orders.Encode(o); err != nil {
		p.Fatal(err)
	}
	if !p.answers.Scan() {
		p.Fatalf("the Python process ended at %s: %v", o.Call, p.answers.Err())
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(p.answers.Bytes(), answer); err != nil {
		p.Fatalf("%s answered %.100s: %v", o.Call, p.answers.Bytes(), err)
	}
}

func (p *peer) newChannel() (name string) {
	p.Helper()
	p.do(order{Call: "new_channel"}, &name)
	return name
}

func (p *peer) send(channel, message string) {
	p.Helper()
	p.do(order{Call: "send", Args: []any{channel}, Message: message}, nil)
}

func (p *peer) groupSend(group, message string) {
	p.Helper()
	p.do(order{Call: "group_send", Args: []any{group}, Message: message}, nil)
}

func (p *peer) groupAdd(group, channel string) {
	p.Helper()
	p.do(order{Call: "group_add", Args: []any{group, channel}}, nil)
}

func (p *peer) groupDiscard(group, channel string) {
	p.Helper()
	p.do(order{Call: "group_discard", Args: []any{group, channel}}, nil)
}

// receive returns the next event of a channel as a Python literal, or "" where none came in time.
func (p *peer) receive(channel string, seconds float64) string {
	p.Helper()
	var answer *string
	p.do(order{Call: "receive", Args: []any{channel, seconds}}, &answer)
	if answer == nil {
		return ""
	}
	return *answer
}

// burst is what it took to send events.
type burst struct {
	Seconds, CPU float64
	Dropped      int // inboxes that were full
}

// burst has the peer send numbered events to a group, as fast as it can or with pauses.
func (p *peer) burst(group string, n int, pause time.Duration) (took burst) {
	p.Helper()
	p.do(order{Call: "burst", Args: []any{group, n, pause.Seconds()}}, &took)
	return took
}
