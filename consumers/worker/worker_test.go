package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers/worker"
)

// job is an event of the channel "jobs".
type job struct {
	N int `json:"n"`
}

// EventType implements consumers.Event.
func (job) EventType() string { return "job.do" }

// running is a Worker that works on the channel "jobs" of a layer of its own.
type running struct {
	*testing.T
	layer *memlayer.Layer
	stop  func() error
}

// run runs a Worker until the test or stop ends it.
func run(t *testing.T, h worker.Handler, c worker.Config) *running {
	t.Helper()
	layer := memlayer.New(memlayer.Config{Expiry: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.New(layer, worker.ChannelNameRouter{"jobs": h}, c).Run(ctx) }()
	r := &running{t, layer, sync.OnceValue(func() error { cancel(); return <-ended })}
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// send puts an event on "jobs".
func (r *running) send(e channellayer.Event) {
	r.Helper()
	if err := r.layer.Send(r.Context(), "jobs", e); err != nil {
		r.Fatal(err)
	}
}

func (r *running) sendJobs(n int) {
	for i := range n {
		r.send(channellayer.Event{"type": "job.do", "n": int64(i)})
	}
}

// record is what handlers have done.
type record struct {
	mu   sync.Mutex // guards the fields below
	done []int
	busy int
	most int
}

func (r *record) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy++
	r.most = max(r.most, r.busy)
}

func (r *record) end(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	r.done = append(r.done, n)
}

func (r *record) state() (done []int, most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.done), r.most
}

func TestConcurrency(t *testing.T) {
	tests := []struct {
		name   string
		config worker.Config
		most   int
	}{
		{"one at a time, in order", worker.Config{}, 1},
		{"as many as are asked for", worker.Config{Concurrency: 4}, 4},
		{"a channel has its own number", worker.Config{Concurrency: 4, ChannelConcurrency: map[string]int{"jobs": 2}}, 2},
		{"what waits here is in order too", worker.Config{Backlog: 10}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var rec record
				r := run(t, worker.Types(worker.On(func(_ context.Context, j job) error {
					rec.begin()
					<-time.After(time.Second)
					rec.end(j.N)
					return nil
				})), tt.config)
				r.sendJobs(12)
				<-time.After(time.Minute)
				done, most := rec.state()
				if len(done) != 12 || most != tt.most {
					t.Errorf("%d events were handled, %d at a time, want 12 and %d", len(done), most, tt.most)
				}
				if tt.most == 1 && !slices.IsSorted(done) {
					t.Errorf("handled in the order %v", done)
				}
			})
		})
	}
}

// TestFailures has each event fail in its own way.
func TestFailures(t *testing.T) {
	tests := []struct {
		name    string
		retries int
		handle  func(try int) error
		tries   int
		result  string
	}{
		{"an error is the end of the event", 0, func(int) error { return errors.New("no") }, 1, "failed"},
		{"a panic is the end of the event", 0, func(int) error { panic("secret") }, 1, "panicked"},
		{"it is tried again if that is asked for", 3, func(try int) error {
			if try < 3 {
				return errors.New("not yet")
			}
			return nil
		}, 3, "done"},
		{"after a panic too", 1, func(try int) error {
			if try == 1 {
				panic("secret")
			}
			return nil
		}, 2, "done"},
		{"as often as is asked for", 2, func(int) error { return errors.New("no") }, 3, "failed"},
		{"but not after a final error", 2, func(int) error { return worker.Final(errors.New("no")) }, 1, "failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				reg := prometheus.NewRegistry()
				var log strings.Builder
				r := run(t, worker.HandlerFunc(func(_ context.Context, e channellayer.Event) error {
					if e.Type() == "last" {
						return nil
					}
					tries++
					return tt.handle(tries)
				}), worker.Config{Retries: tt.retries, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				r.send(channellayer.Event{"type": "first"})
				r.send(channellayer.Event{"type": "last"})
				<-time.After(time.Minute)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				if tries != tt.tries {
					t.Errorf("tried %d times, want %d", tries, tt.tries)
				}
				counts := results(t, reg)
				counts["done"]-- // the last one
				if counts[tt.result] != 1 {
					t.Errorf("counted %v, want one %s", counts, tt.result)
				}
				if strings.Contains(log.String(), "secret\"") {
					t.Errorf("logged the value of a panic: %s", log.String())
				}
			})
		})
	}
}

// results returns how many events ended in which way.
func results(t *testing.T, reg prometheus.Gatherer) map[string]int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, f := range families {
		if f.GetName() != "worker_events_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "result" {
					counts[label.GetValue()] += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return counts
}

func TestTypes(t *testing.T) {
	var got []int
	h := worker.Types(worker.On(func(_ context.Context, j job) error { got = append(got, j.N); return nil }))
	for _, eventType := range []string{"job.do", "job_do"} {
		if err := h.Handle(t.Context(), channellayer.Event{"type": eventType, "n": int64(1)}); err != nil {
			t.Error(err)
		}
	}
	if err := h.Handle(t.Context(), channellayer.Event{"type": "job.undo"}); !errors.Is(err, worker.ErrNoHandler) {
		t.Errorf("an unknown type: got error %v, want ErrNoHandler", err)
	}
	if err := h.Handle(t.Context(), channellayer.Event{"type": "job.do", "n": "one"}); err == nil {
		t.Error("an event that does not fit was handled")
	}
	if !slices.Equal(got, []int{1, 1}) {
		t.Errorf("handled %v, want each once", got)
	}
}

func TestNewPanics(t *testing.T) {
	tests := []struct {
		name string
		make func()
	}{
		{"a channel of one process", func() {
			worker.New(memlayer.New(memlayer.Config{}), worker.ChannelNameRouter{"a!b": worker.Types()}, worker.Config{})
		}},
		{"two handlers for one type", func() {
			on := worker.On(func(context.Context, job) error { return nil })
			worker.Types(on, on)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			tt.make()
		})
	}
}

func TestRunFinishesWhatItHas(t *testing.T) {
	tests := []struct {
		name  string
		takes time.Duration
		ends  time.Duration
		done  bool
	}{
		{"what is in hand is finished", 5 * time.Second, 5 * time.Second, true},
		{"but not for ever", time.Hour, 10 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done := false
				r := run(t, worker.HandlerFunc(func(ctx context.Context, _ channellayer.Event) error {
					select {
					case <-time.After(tt.takes):
						done = true
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}), worker.Config{Retries: 5})
				r.sendJobs(1)
				synctest.Wait()
				began := time.Now()
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != tt.ends || done != tt.done {
					t.Errorf("ended after %v, finished %v, want %v and %v", took, done, tt.ends, tt.done)
				}
			})
		})
	}
}

// brokenLayer ends at once.
type brokenLayer struct{}

// Listen implements channellayer.Listener.
func (brokenLayer) Listen(context.Context, string, channellayer.Receiver) error {
	return channellayer.ErrClosed
}

func TestRunTellsThatTheLayerEnded(t *testing.T) {
	w := worker.New(brokenLayer{}, worker.ChannelNameRouter{"jobs": worker.Types()}, worker.Config{})
	if err := w.Run(t.Context()); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("Run() = %v, want ErrClosed", err)
	}
}

func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		reg := prometheus.NewRegistry()
		layer := memlayer.New(memlayer.Config{Expiry: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		w := worker.New(layer, worker.ChannelNameRouter{"jobs": worker.HandlerFunc(func(context.Context, channellayer.Event) error {
			handled++
			<-time.After(time.Minute)
			return nil
		})}, worker.Config{Backlog: 1, Registerer: reg})
		var working sync.WaitGroup
		working.Go(func() { _ = w.Run(ctx) })
		for range 2 {
			if err := layer.Send(t.Context(), "jobs", channellayer.Event{"type": "x"}); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(2 * time.Minute)
		cancel()
		working.Wait()
		if n := results(t, reg)["expired"]; handled != 1 || n != 1 {
			t.Errorf("%d were handled and %d expired, want 1 and 1", handled, n)
		}
	})
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	worker.New(brokenLayer{}, worker.ChannelNameRouter{"jobs": worker.Types()}, worker.Config{Registerer: reg})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}
