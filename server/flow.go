package server

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// flow counts the messages that pass through one owner of connections. Each loop has its own, since a number that several
// processors change with every message is slow.
type flow struct {
	messagesIn, messagesOut, bytesIn, bytesOut atomic.Uint64

	_ [32]byte // up to the end of the processor's cache line
}

// received counts a message from a client.
func (f *flow) received(size int) {
	f.messagesIn.Add(1)
	f.bytesIn.Add(uint64(size))
}

// sent counts a message to a client.
func (f *flow) sent(size int) {
	f.messagesOut.Add(1)
	f.bytesOut.Add(uint64(size))
}

// flows are all that there are, and were: a counter never falls.
type flows struct {
	mu  sync.Mutex // guards all
	all []*flow
}

// add makes another flow.
func (fs *flows) add() *flow {
	f := new(flow)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.all = append(fs.all, f)
	return f
}

// counter makes a counter of what all flows have of something together.
func (fs *flows) counter(name, help, direction string, of func(*flow) *atomic.Uint64) prometheus.CounterFunc {
	opts := prometheus.CounterOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{"direction": direction}}
	return prometheus.NewCounterFunc(opts, func() (sum float64) {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		for _, f := range fs.all {
			sum += float64(of(f).Load())
		}
		return sum
	})
}

// counters makes the counters of messages.
func (fs *flows) counters() []prometheus.Collector {
	const messages, messagesHelp = "server_messages_total", "Messages of clients and to clients."
	const bytes, bytesHelp = "server_message_bytes_total", "Payload of those messages in bytes."
	return []prometheus.Collector{
		fs.counter(messages, messagesHelp, "in", func(f *flow) *atomic.Uint64 { return &f.messagesIn }),
		fs.counter(messages, messagesHelp, "out", func(f *flow) *atomic.Uint64 { return &f.messagesOut }),
		fs.counter(bytes, bytesHelp, "in", func(f *flow) *atomic.Uint64 { return &f.bytesIn }),
		fs.counter(bytes, bytesHelp, "out", func(f *flow) *atomic.Uint64 { return &f.bytesOut }),
	}
}
