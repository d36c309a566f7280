package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/chaos"
)

// full is chaos.Full.
func full() bool { return chaos.Full() }

// size is chaos.Size.
func size[T any](inFull, small T) T { return chaos.Size(inFull, small) }

// row is chaos.Row.
func row(t *testing.T, ok bool, id, what, figure, limit string) {
	t.Helper()
	chaos.Row(t, chaos.Holds(ok), id, what, figure, limit)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waitUntil waits until something holds, and returns how long that took.
func waitUntil(t testing.TB, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("waited a minute in vain until %s", what)
		}
	}
	return time.Since(began)
}

// pass lets time pass while what was broken stays broken.
func pass(d time.Duration) { <-time.After(d) }

// node opens a layer on hosts.
func node(t testing.TB, c redislayer.Config, urls ...string) *redislayer.Layer {
	t.Helper()
	for _, url := range urls {
		host, err := redislayer.ParseHost(url)
		must(t, err)
		c.Hosts = append(c.Hosts, host)
	}
	l, err := redislayer.New(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() }) // it may be closed
	return l
}

// The two forms of the layer of channels_redis.
const (
	coreForm   = "core"
	pubSubForm = "pub/sub"
)

// form is a layer of either form.
type form interface {
	channellayer.Layer
	Ready(ctx context.Context) error
	Close() error
}

// openForm opens a layer of a form.
func openForm(t testing.TB, name string, c redislayer.Config, url string) form {
	t.Helper()
	if name == coreForm {
		return node(t, c, url)
	}
	host, err := redislayer.ParseHost(url)
	must(t, err)
	c.Hosts = []redislayer.Host{host}
	l, err := redislayer.NewPubSub(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() }) // it may be closed
	return l
}

// members opens channels in each of some groups.
func members(t testing.TB, l channellayer.Layer, groups []string, each int) map[string][]*chaos.Checker {
	t.Helper()
	checkers := make(map[string][]*chaos.Checker)
	for _, group := range groups {
		for range each {
			c := new(chaos.Checker)
			name, err := l.NewChannel(t.Context(), c)
			must(t, err)
			must(t, l.GroupAdd(t.Context(), group, name))
			checkers[group] = append(checkers[group], c)
		}
	}
	return checkers
}

// names returns n names.
func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(prefix, i)
	}
	return list
}

// load sends numbered messages to groups by turns, until stop, which returns what each group was sent, by the sender's name.
type load struct {
	cancel  context.CancelFunc
	sending sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	sent    map[string]chaos.Sent
	slowest time.Duration
	spent   time.Duration // in sends since mean was called
	sends   int
	errs    map[string]int // by what they are
}

// startLoad sends from one layer.
func startLoad(t testing.TB, sender string, l channellayer.Layer, groups []string, every time.Duration) *load {
	ctx, cancel := context.WithCancel(t.Context())
	w := &load{cancel: cancel, sent: make(map[string]chaos.Sent), errs: make(map[string]int)}
	w.sending.Go(func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for i := 0; ; i++ {
			select {
			case <-ticks.C:
				w.send(l, sender, groups[i%len(groups)])
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { w.stop() })
	return w
}

// send sends the next message to a group.
func (w *load) send(l channellayer.Layer, sender, group string) {
	w.mu.Lock()
	s := w.sent[group]
	w.mu.Unlock()
	began := time.Now()
	err := l.GroupSend(context.Background(), group, chaos.Numbered(sender, s.Count))
	took := time.Since(began)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slowest = max(w.slowest, took)
	w.spent, w.sends = w.spent+took, w.sends+1
	if err != nil {
		if s.Failed == nil {
			s.Failed = make(map[int64]bool)
		}
		s.Failed[s.Count] = true
		w.errs[kindOf(err)]++
	}
	s.Count++
	w.sent[group] = s
}

// stop ends the load and returns what was sent.
func (w *load) stop() map[string]chaos.Sent {
	w.cancel()
	w.sending.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// mean returns how long a send took since mean was called last.
func (w *load) mean() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	mean := w.spent / time.Duration(max(1, w.sends))
	w.spent, w.sends = 0, 0
	return mean
}

// failures returns how many sends failed, and how many of them with an error that says nothing.
func (w *load) failures() (n, untyped int, slowest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for kind, k := range w.errs {
		n += k
		if kind == "other" {
			untyped += k
		}
	}
	return n, untyped, w.slowest
}

// judge returns what all members found.
func judge(checkers map[string][]*chaos.Checker, sent map[string]map[string]chaos.Sent) chaos.Verdict {
	var v chaos.Verdict
	for group, list := range checkers {
		by := make(map[string]chaos.Sent)
		for sender, groups := range sent {
			by[sender] = groups[group]
		}
		for _, c := range list {
			v.Add(c.Verdict(by))
		}
	}
	return v
}

// settle sends a message to each group, as a sender of a name of its own, and waits until every member has it.
func settle(t testing.TB, sender string, l channellayer.Layer, checkers map[string][]*chaos.Checker) time.Duration {
	t.Helper()
	began := time.Now()
	n := int64(-1) // each try has a number of its own, for one that failed may arrive
	for group := range checkers {
		waitUntil(t, "a message is sent", func() bool {
			n++
			return l.GroupSend(t.Context(), group, chaos.Numbered(sender, n)) == nil
		})
	}
	for group, list := range checkers {
		for _, c := range list {
			waitUntil(t, "the message has come to "+group, func() bool { return c.Last(sender) >= 0 })
		}
	}
	return time.Since(began)
}

// count returns the sum of a metric's series, those that have a label's value if that is not empty.
func count(reg prometheus.Gatherer, name, label string) int {
	families, err := reg.Gather()
	if err != nil {
		return -1
	}
	n := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if label != "" && l.GetValue() == label {
					n += m.GetCounter().GetValue()
				}
			}
			if label == "" {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return int(n)
}

// kindOf says what kind of error a send returned.
func kindOf(err error) string {
	switch {
	case errors.Is(err, redislayer.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, channellayer.ErrFull):
		return "full"
	}
	return "other"
}

// seconds writes a time.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
