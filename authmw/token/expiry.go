package token

import (
	"container/heap"
	"math"
	"sync"
	"time"
	"weak"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers"
)

// tokenExpired is what a client is told in its close frame.
const tokenExpired = "token expired"

// expiries closes WebSockets when their tokens expire. There is one timer for all, set for the token that expires
// next. Of a connection it knows a weak pointer, since nobody tells when it is gone: those of connections that are
// gone are thrown out when they may be half of all.
type expiries struct {
	closed prometheus.Counter

	mu    sync.Mutex // guards the fields below
	due   expiryHeap
	kept  int         // how many were left when the heap was last swept
	timer *time.Timer // nil while nothing is due
}

// expiry is a WebSocket and when its token expires.
type expiry struct {
	at     int64 // in nanoseconds since 1970
	socket weak.Pointer[consumers.Socket]
}

// farthest is the last second that a number of nanoseconds since 1970 can hold: in the year 2262.
const farthest = math.MaxInt64 / int64(time.Second)

// minSweep is how many expiries there are at least before they are swept.
const minSweep = 1024

func newExpiries(closed prometheus.Counter) *expiries { return &expiries{closed: closed} }

// add will close socket at the time at.
func (e *expiries) add(socket *consumers.Socket, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.due) >= max(minSweep, 2*e.kept) {
		e.sweepLocked()
	}
	if at.Unix() >= farthest {
		return
	}
	e.pushLocked(expiry{at: at.UnixNano(), socket: weak.Make(socket)})
}

func (e *expiries) pushLocked(x expiry) {
	heap.Push(&e.due, x)
	if e.due[0].at == x.at {
		e.armLocked()
	}
}

// sweepLocked throws out the connections that are gone.
func (e *expiries) sweepLocked() {
	left := e.due[:0]
	for _, x := range e.due {
		if x.socket.Value() != nil {
			left = append(left, x)
		}
	}
	clear(e.due[len(left):])
	e.due, e.kept = left, len(left)
	heap.Init(&e.due)
}

// armLocked sets the timer for what is due next.
func (e *expiries) armLocked() {
	wait := time.Until(time.Unix(0, e.due[0].at))
	if e.timer == nil {
		e.timer = time.AfterFunc(wait, e.fire)
		return
	}
	e.timer.Reset(wait)
}

// fire closes what is due. Where the handshake is still under way, that refuses it.
func (e *expiries) fire() {
	for _, x := range e.take(time.Now().UnixNano()) {
		if socket := x.socket.Value(); socket != nil && socket.Close(consumers.CloseSessionEnded, tokenExpired) == nil {
			e.closed.Inc()
		}
	}
}

// take returns what is due, and sets the timer for the next.
func (e *expiries) take(now int64) []expiry {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []expiry
	for len(e.due) > 0 && e.due[0].at <= now {
		x, _ := heap.Pop(&e.due).(expiry)
		out = append(out, x)
	}
	if len(e.due) > 0 {
		e.armLocked()
	} else {
		e.timer = nil
	}
	return out
}

// expiryHeap is ordered by time. It implements heap.Interface.
type expiryHeap []expiry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *expiryHeap) Push(x any) { *h = append(*h, x.(expiry)) }

// Pop implements heap.Interface.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = expiry{}
	*h = (*h)[:last]
	return x
}
