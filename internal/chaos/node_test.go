package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/chaos"
)

// asNode makes the test's program be a node: its value is the URL of a Redis.
const asNode = "BELLEVILLE_CHAOS_NODE"

func TestMain(m *testing.M) {
	be, url := beNode, os.Getenv(asNode)
	if url == "" {
		be, url = beLoginServer, os.Getenv(asLoginServer)
	}
	if url != "" {
		if err := be(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// nodeOrder is what a node in a process of its own is asked, as a line of JSON.
type nodeOrder struct {
	Join    []string              `json:"join,omitempty"` // groups
	Members int                   `json:"members,omitempty"`
	Judge   map[string]chaos.Sent `json:"judge,omitempty"` // of the sender "load", by group
	Last    string                `json:"last,omitempty"`  // the group whose members are to have the last message
}

// nodeAnswer is its answer.
type nodeAnswer struct {
	Verdict chaos.Verdict `json:"verdict"`
	Expired int           `json:"expired"`
	Arrived bool          `json:"arrived"`
}

// beNode is a node: it joins groups and judges what comes.
func beNode(url string) error {
	host, err := redislayer.ParseHost(url)
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	c := redislayer.Config{Hosts: []redislayer.Host{host}, Registerer: reg}
	for name, field := range map[string]*time.Duration{"_EXPIRY": &c.Expiry, "_HEARTBEAT": &c.Heartbeat, "_DEAD_AFTER": &c.DeadAfter} {
		if text := os.Getenv(asNode + name); text != "" {
			if *field, err = time.ParseDuration(text); err != nil {
				return err
			}
		}
	}
	l, err := redislayer.New(context.Background(), c)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	b := &bench{layer: l, reg: reg, checkers: make(map[string][]*chaos.Checker)}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var o nodeOrder
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		a, err := b.obey(o)
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return in.Err()
}

// bench is what a node in a process of its own has.
type bench struct {
	layer    *redislayer.Layer
	reg      *prometheus.Registry
	checkers map[string][]*chaos.Checker
}

// obey does what is asked.
func (b *bench) obey(o nodeOrder) (a nodeAnswer, err error) {
	for _, group := range o.Join {
		for range o.Members {
			k := new(chaos.Checker)
			name, err := b.layer.NewChannel(context.Background(), k)
			if err == nil {
				err = b.layer.GroupAdd(context.Background(), group, name)
			}
			if err != nil {
				return a, err
			}
			b.checkers[group] = append(b.checkers[group], k)
		}
	}
	if o.Judge != nil {
		a.Verdict = judge(b.checkers, map[string]map[string]chaos.Sent{"load": o.Judge})
		a.Expired = count(b.reg, "redislayer_events_dropped_total", "expired")
	}
	a.Arrived = o.Last != ""
	for _, k := range b.checkers[o.Last] {
		a.Arrived = a.Arrived && k.Last("last") >= 0
	}
	return a, nil
}

// child is a node in a process of its own.
type child struct {
	*testing.T
	process *os.Process
	orders  *json.Encoder
	answers *json.Decoder
}

// startChild starts a node.
func startChild(t *testing.T, url string, env ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), asNode+"="+url), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT) // it may be stopped, or gone
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // a test has killed it
	})
	return &child{t, cmd.Process, json.NewEncoder(in), json.NewDecoder(out)}
}

// do asks the node something.
func (c *child) do(o nodeOrder) (a nodeAnswer) {
	c.Helper()
	if err := c.orders.Encode(o); err != nil {
		c.Fatal(err)
	}
	if err := c.answers.Decode(&a); err != nil {
		c.Fatalf("the node has ended: %v", err)
	}
	return a
}
