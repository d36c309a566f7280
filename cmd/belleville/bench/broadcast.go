package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// broadcastCommand sends messages that come to all.
type broadcastCommand struct {
	crowdFlags
	messageFlags
	Senders  int `default:"1" placeholder:"N" help:"How many of the clients send, in turn; 0: none, somebody else does. Default: 1."`
	InFlight int `default:"1" placeholder:"N" help:"Messages on their way at the same time, without --rate. Default: 1."`
}

// Help is shown by --help.
func (*broadcastCommand) Help() string {
	return `All clients connect to one route that gives each message to all of them, as relay does; --senders of them send numbered messages, and what comes to each client is counted. Without --rate the next message is sent when all have the last one.

With --senders 0 the site sends: whatever has "bench:RUN:SENDER:NUMBER:TIME;" in it is counted, where RUN is any word, SENDER is 0 to 63, NUMBER counts from 1 and TIME is in nanoseconds since 1970.

Example:

  belleville bench broadcast --url ws://127.0.0.1:8001/ws/chat/lobby/ --cookie-file cookies.txt --clients 1000 --in-flight 4
  belleville bench broadcast --url ws://127.0.0.1:8001/ws/news/ --clients 5000 --senders 0 --duration 1m --json`
}

// Validate is called before Run.
func (f *broadcastCommand) Validate() error {
	if err := errors.Join(f.crowdFlags.check(), f.messageFlags.check()); err != nil {
		return err
	}
	switch {
	case f.Senders < 0 || f.Senders > maxSenders:
		return fmt.Errorf("--senders must be between 0 and %d", maxSenders)
	case f.Senders > f.Clients:
		return errors.New("--senders cannot be more than --clients")
	case f.InFlight < 1 || f.InFlight > 1000:
		return errors.New("--in-flight must be between 1 and 1000")
	case f.Senders == 0 && f.Rate > 0:
		return errors.New("--rate needs senders")
	}
	return nil
}

// Run implements the command.
func (f *broadcastCommand) Run(ctx context.Context, stdout io.Writer, p Progress) error {
	w, err := f.newCrew("broadcast", p)
	if err != nil {
		return err
	}
	b := &broadcast{crew: w, marker: f.marker(), foreign: f.Senders == 0, senders: f.Senders, arrivals: make(chan struct{}, 1)}
	w.heard, w.lose = b.heard, b.lose
	stop := w.tally.tell()
	w.open(ctx, &f.crowdFlags)
	began := time.Now()
	publishing, cancel := context.WithCancel(ctx)
	published := make(chan struct{})
	go func() {
		defer close(published)
		b.publish(publishing, f)
	}()
	over := published
	if b.foreign {
		over = nil
	}
	why := w.tally.watch(ctx, f.Duration, over)
	r := w.report(time.Since(began), why)
	received := w.tally.received.Load()
	cancel()
	<-published
	w.settle(func() bool { return b.foreign || w.tally.received.Load() >= b.due() })
	r.Deliveries = b.deliveries()
	r.Deliveries.PerSecond = float64(received) / max(r.Seconds, 1e-9)
	w.close()
	stop()
	return f.finish(stdout, r)
}

// broadcast is one run of broadcastCommand.
type broadcast struct {
	*crew
	*marker
	foreign bool // somebody else sends
	senders int

	arrivals chan struct{} // says that enough may have come; one that waits is enough
	enough   atomic.Int64  // how many deliveries the one who sends waits for

	mu        sync.Mutex // guards the fields below, and with them who is lost
	published int64      // messages
	expected  int64      // deliveries
}

// publish sends messages until ctx is done or no sender is left: at a rate, or when there are few enough on their way.
func (b *broadcast) publish(ctx context.Context, f *broadcastCommand) {
	clients := b.all()
	senders := int64(min(b.senders, len(clients)))
	p := pace{time.Now(), f.Rate}
	failed := int64(0) // in a row
	for i := int64(0); failed < senders; i++ {
		at := p.at(i)
		if f.Rate > 0 && !sleepUntil(ctx, at) || f.Rate == 0 && !b.room(ctx, f.InFlight) {
			return
		}
		if f.Rate == 0 {
			at = time.Now()
		}
		b.expect(1)
		m := b.message(int(i%senders), i/senders+1, b.at(at))
		if err := clients[i%senders].write(opText, m); err != nil {
			b.expect(-1)
			failed++
			continue
		}
		failed = 0
	}
}

// expect counts messages that are sent, or have not been after all.
func (b *broadcast) expect(messages int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published += messages
	b.expected += messages * b.tally.alive()
}

// lose takes note of a client that is lost: what was still to come to it is not waited for.
func (b *broadcast) lose(c *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally.lost.Add(1)
	b.tally.missing.Add(max(0, b.published-c.got))
	b.arrived()
}

// due is how many deliveries there are to be, of what has been sent.
func (b *broadcast) due() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.expected - b.tally.missing.Load()
}

// room waits until fewer messages than inFlight are on their way. What has not come to all after a while is given up.
func (b *broadcast) room(ctx context.Context, inFlight int) bool {
	var late *time.Timer
	for ctx.Err() == nil {
		enough := b.due() - int64(inFlight-1)*b.tally.alive()
		b.enough.Store(enough)
		if b.tally.received.Load() >= enough {
			return true
		}
		if late == nil {
			late = time.NewTimer(patience)
			defer late.Stop()
		}
		select {
		case <-b.arrivals:
		case <-late.C:
			b.tally.fail(&failure{"message: not with all after " + patience.String()})
			b.tally.missing.Add(b.due() - b.tally.received.Load())
			return true
		case <-ctx.Done():
		}
	}
	return false
}

// heard takes a message that came to a client.
func (b *broadcast) heard(c *client, message []byte) error {
	m, found := findMark(message)
	if !found || !b.foreign && m.run != b.run || m.sender >= maxSenders {
		b.tally.other.Add(1)
		return nil
	}
	for len(c.last) <= m.sender {
		c.last = append(c.last, 0)
	}
	last := c.last[m.sender]
	if m.number <= last {
		b.tally.repeated.Add(1)
		return nil
	}
	if b.foreign && last > 0 {
		b.tally.missing.Add(m.number - last - 1)
	}
	c.last[m.sender] = m.number
	c.got++
	b.tally.messages.record(time.Duration(b.now() - m.sent))
	if b.tally.received.Add(1) >= b.enough.Load() {
		b.arrived()
	}
	return nil
}

// arrived wakes the one who sends.
func (b *broadcast) arrived() {
	select {
	case b.arrivals <- struct{}{}:
	default: // it knows
	}
}

// deliveries makes the figures.
func (b *broadcast) deliveries() *Deliveries {
	t := b.tally
	b.mu.Lock()
	defer b.mu.Unlock()
	d := &Deliveries{
		Published: b.published, Expected: b.expected, Received: t.received.Load(), Repeated: t.repeated.Load(), Other: t.other.Load(),
		Latency: t.messages.latency(),
	}
	if b.foreign {
		d.Expected = d.Received + t.missing.Load()
	}
	d.Lost = max(0, d.Expected-d.Received)
	return d
}
