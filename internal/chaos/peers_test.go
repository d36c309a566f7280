package chaos_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/redistest"
)

// python is Debian's, which has Debian's channels_redis.
const python = "/usr/bin/python3"

// needPeer ends the test where there is no channels_redis.
func needPeer(t *testing.T) {
	t.Helper()
	if err := exec.Command(python, "-c", "import channels_redis").Run(); err != nil {
		parts.Need(t, "channels_redis", fmt.Errorf("%w: channels_redis for %s (Debian's package python3-channels-redis)", parts.ErrMissing, python))
	}
}

// peerSends has a process of Django's send numbered messages to a group, and returns how many inboxes it found full.
func peerSends(t *testing.T, url, group, sender string, count int, pause, ahead time.Duration) (dropped int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "testdata/peer.py", url, group, sender,
		strconv.Itoa(count), fmt.Sprint(pause.Seconds()), fmt.Sprint(ahead.Seconds()))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("the peer: %v\n%s", err, complaint.Bytes())
		return 0
	}
	dropped, err = strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Errorf("the peer said %q", out)
	}
	return dropped
}

// TestF15 kills one of two nodes, whose group a third one sends to.
func TestF15(t *testing.T) {
	server := redistest.Open(t)
	heartbeat, deadAfter := size(5*time.Second, 200*time.Millisecond), size(30*time.Second, 2*time.Second)
	env := []string{asNode + "_HEARTBEAT=" + heartbeat.String(), asNode + "_DEAD_AFTER=" + deadAfter.String()}
	survivor, victim := startChild(t, server.URL(), env...), startChild(t, server.URL(), env...)
	sockets := size(5000, 200)
	for _, c := range []*child{survivor, victim} {
		c.do(nodeOrder{Join: []string{"room"}, Members: sockets})
	}
	sender := node(t, redislayer.Config{Heartbeat: heartbeat, DeadAfter: deadAfter}, server.URL())
	every := size(20*time.Millisecond, 10*time.Millisecond)
	w := startLoad(t, "load", sender, []string{"room"}, every)
	pass(size(10*time.Second, 500*time.Millisecond))
	before := w.mean()
	must(t, victim.process.Kill())
	gone := waitUntil(t, "the dead node is out of the group", func() bool { return server.Do(t, "ZCARD", "asgi:group:room") == "1" })
	after := w.mean()
	sent := w.stop()
	must(t, sender.GroupSend(t.Context(), "room", chaos.Numbered("last", 0)))
	waitUntil(t, "the survivors have all", func() bool { return survivor.do(nodeOrder{Last: "room"}).Arrived })
	v := survivor.do(nodeOrder{Judge: sent}).Verdict
	row(t, v.Lost == 0 && v.Kept(), "F15", fmt.Sprintf("one of 2 nodes of %d sockets killed", sockets), "survivors: "+v.String(), "0 lost")
	row(t, gone <= deadAfter+2*heartbeat+size(time.Second, 5*time.Second), "F15", "ghosts are swept", seconds(gone), "DeadAfter + 2 heartbeats")
	limit := before + before/2
	if !full() {
		limit = before*5 + 5*time.Millisecond // few sends, on a busy machine
	}
	row(t, after <= limit, "F15", "a send while ghosts are there", fmt.Sprintf("%.0f µs, %.0f µs before", micros(after), micros(before)), "1.5 times in full")
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// TestF16 stops a node for longer than messages last.
func TestF16(t *testing.T) {
	server := redistest.Open(t)
	expiry := size(10*time.Second, time.Second)
	stopped := startChild(t, server.URL(), asNode+"_EXPIRY="+expiry.String())
	stopped.do(nodeOrder{Join: []string{"room"}, Members: 10})
	reg := prometheus.NewRegistry()
	sender := node(t, redislayer.Config{Expiry: expiry, Registerer: reg}, server.URL())
	w := startLoad(t, "load", sender, []string{"room"}, 20*time.Millisecond)
	pass(size(2*time.Second, 300*time.Millisecond))
	must(t, stopped.process.Signal(syscall.SIGSTOP))
	pass(2 * expiry)
	must(t, stopped.process.Signal(syscall.SIGCONT))
	pass(size(3*time.Second, time.Second))
	sent := w.stop()
	waitUntil(t, "the node hears again", func() bool {
		must(t, sender.GroupSend(t.Context(), "room", chaos.Numbered("last", 0)))
		return stopped.do(nodeOrder{Last: "room"}).Arrived
	})
	a := stopped.do(nodeOrder{Judge: sent})
	stale := count(reg, "redislayer_events_dropped_total", "stale_in_redis") + a.Expired
	v := a.Verdict
	v.Doubled = withoutSender(v.Doubled, "last")
	row(t, v.Kept() && v.Lost > 0 && stale > 0, "F16", "a node stopped for twice the expiry",
		fmt.Sprintf("%v; %d expired messages counted", v, stale), "nothing twice, losses announced, expired ones counted")
}

// withoutSender leaves out what a sender has sent more than once on purpose.
func withoutSender(list []string, sender string) []string {
	var kept []string
	for _, name := range list {
		if !strings.HasPrefix(name, sender+"/") {
			kept = append(kept, name)
		}
	}
	return kept
}

// TestF19 has a process of Django's send whose clock is 61 seconds ahead, beside one whose clock is right and one of ours.
func TestF19(t *testing.T) {
	needPeer(t)
	server := redistest.Open(t)
	ours, other := node(t, redislayer.Config{}, server.URL()), node(t, redislayer.Config{}, server.URL())
	checkers := members(t, ours, []string{"room"}, 10)
	count, pause := size(5000, 200), 2*time.Millisecond
	w := startLoad(t, "load", other, []string{"room"}, pause)
	var sending sync.WaitGroup
	var full, fullAhead int // inboxes that the two found full, of which there is one
	sending.Go(func() { full = peerSends(t, server.URL(), "room", "right", count, pause, 0) })
	sending.Go(func() { fullAhead = peerSends(t, server.URL(), "room", "ahead", count, pause, 61*time.Second) })
	sending.Wait()
	sent := w.stop()
	waitUntil(t, "the inbox is empty", func() bool { return server.Do(t, "KEYS", "asgispecific*") == "" })
	settle(t, "end", other, checkers)
	all := chaos.Sent{Count: int64(count)}
	lost := func(sender string, s chaos.Sent) int {
		return checkers["room"][0].Verdict(map[string]chaos.Sent{sender: s}).Lost
	}
	v := checkers["room"][0].Verdict(map[string]chaos.Sent{"load": sent["room"], "right": all, "ahead": all})
	row(t, lost("load", sent["room"]) == 0 && lost("ahead", all) == fullAhead && len(v.Doubled)+len(v.Swapped) == 0,
		"F19", "a process of Django's is 61 s ahead",
		fmt.Sprintf("lost of a Belleville's %d: %d, of the one ahead: %d of %d, of a Django that is right: %d of %d, where the inbox was full included: %d and %d",
			sent["room"].Count, lost("load", sent["room"]), lost("ahead", all), count, lost("right", all), count, fullAhead, full),
		"0 of ours and of its own; what it drops of another Django's is measured")
}
