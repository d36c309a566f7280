package bench

import (
	"context"
	"sync"
	"time"
)

// crew is the connections of a run. Each has a goroutine that reads, from its handshake to its end.
type crew struct {
	// Set before open, never changed.
	target *target
	tally  *tally
	wanted int
	heard  func(c *client, message []byte) error // called by the one who reads c
	lose   func(c *client)                       // the same; counts it

	// Owned by the one who opens.
	opening time.Duration
	life    context.Context // see open
	end     context.CancelFunc
	readers sync.WaitGroup

	mu      sync.Mutex // guards clients
	clients []*client  // that were connected
}

// open connects all, and returns when each has been or has failed, or when it is too late. The connections last until
// close, whatever becomes of ctx.
func (w *crew) open(ctx context.Context, f *crowdFlags) {
	w.life, w.end = context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, f.ConnectTime)
	defer cancel()
	began := time.Now()
	slots := make(chan struct{}, f.AtOnce) // one for each handshake that goes on
	var pending sync.WaitGroup
	p := pace{began, f.ConnectRate}
	for i := range w.wanted {
		if !sleepUntil(ctx, p.at(int64(i))) {
			break
		}
		slots <- struct{}{}
		pending.Add(1)
		w.readers.Go(func() {
			c := w.connect(ctx, i)
			pending.Done()
			<-slots
			if c != nil {
				w.read(c)
			}
		})
	}
	pending.Wait()
	w.opening = time.Since(began)
}

// connect makes one connection, or counts what went wrong.
func (w *crew) connect(ctx context.Context, index int) *client {
	began := time.Now()
	c, err := w.target.open(ctx, index)
	if err != nil {
		if ctx.Err() == nil {
			w.tally.fail(readFailure(err, "handshake"))
		}
		return nil
	}
	w.tally.handshakes.record(time.Since(began))
	w.tally.opened.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, c)
	return c
}

// read hears a client's messages until the run or the connection ends.
func (w *crew) read(c *client) {
	stop := context.AfterFunc(w.life, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		message, err := c.next()
		if err == nil {
			err = w.heard(c, message)
		}
		if err == nil {
			continue
		}
		if w.life.Err() != nil {
			_ = c.leave() // what it finds is not measured any more
			return
		}
		_ = c.conn.Close()
		w.lose(c)
		w.tally.fail(readFailure(err, "connection"))
		return
	}
}

// all returns the clients that were connected.
func (w *crew) all() []*client {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clients
}

// close ends the connections.
func (w *crew) close() {
	w.end()
	w.readers.Wait()
}

// patience is how long the last messages of a run are waited for.
const patience = 2 * time.Second

// settle waits until all has come that is due, or for so long as is reasonable.
func (w *crew) settle(due func() bool) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !due() && time.Now().Before(deadline) && w.tally.alive() > 0 {
		<-tick.C
	}
}

// report makes the report of a run that measured for so long.
func (w *crew) report(measured time.Duration, why string) *Report {
	r := w.tally.report(w.target.shown, w.wanted)
	r.Seconds, r.Ended = measured.Seconds(), why
	r.Handshakes.Seconds, r.Handshakes.PerSecond = w.opening.Seconds(), perSecond(r.Handshakes.Count, w.opening)
	return r
}

// perSecond is a rate.
func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
