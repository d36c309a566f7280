package bench

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// messageFlags say what is sent.
type messageFlags struct {
	Size     int     `default:"128" placeholder:"BYTES" help:"How long a message is. Default: 128."`
	Template string  `default:"{\"message\": \"{}\"}" help:"What a message looks like; {} is where its number stands. Default: {\"message\": \"{}\"}."`
	Rate     float64 `placeholder:"N" help:"Messages to send per second, all clients together, whatever comes back. Default: the next one when the last one is back."`
}

// check returns the first mistake in the flags.
func (f *messageFlags) check() error {
	switch {
	case f.Size < 1 || f.Size > maxSize:
		return fmt.Errorf("--size must be between 1 and %d", maxSize)
	case f.Rate < 0 || f.Rate > maxRate:
		return fmt.Errorf("--rate must be between 0 and %d", maxRate)
	case strings.Count(f.Template, "{}") != 1:
		return errors.New(`--template must have {} in it once, as in {"message": "{}"}`)
	case strings.Contains(f.Template, markBegins):
		return fmt.Errorf("--template must not contain %q", markBegins)
	}
	return nil
}

// marker makes the messages of one run.
func (f *messageFlags) marker() *marker {
	before, behind, _ := strings.Cut(f.Template, "{}")
	return &marker{run: crand.Text()[:12], before: before, behind: behind, size: f.Size, began: time.Now()}
}

// echoCommand sends messages that come back.
type echoCommand struct {
	crowdFlags
	messageFlags
}

// Help is shown by --help.
func (*echoCommand) Help() string {
	return `Each client sends a message and waits until it comes back, in whatever the route makes of it. With --rate, messages are sent at their time whether or not the last one is back, and a message's time begins when it should have been sent.

Example:

  belleville bench echo --url ws://127.0.0.1:8001/ws/echo/ --clients 1000 --duration 30s
  belleville bench echo --unix /run/belleville.sock --url ws://example.com/ws/echo/ --clients 100 --rate 5000 --size 512`
}

// Validate is called before Run.
func (f *echoCommand) Validate() error {
	return errors.Join(f.crowdFlags.check(), f.messageFlags.check())
}

// Run implements the command.
func (f *echoCommand) Run(ctx context.Context, stdout io.Writer, p Progress) error {
	w, err := f.newCrew("echo", p)
	if err != nil {
		return err
	}
	e := &echoes{crew: w, marker: f.marker(), waits: f.Rate == 0}
	w.heard = e.heard
	stop := w.tally.tell()
	w.open(ctx, &f.crowdFlags)
	began := time.Now()
	sending, cancel := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		e.begin(sending, f.Rate)
	}()
	why := w.tally.watch(ctx, f.Duration, nil)
	r := w.report(time.Since(began), why)
	returned := w.tally.received.Load()
	e.over.Store(true)
	cancel()
	<-sent
	w.settle(func() bool { return w.tally.received.Load() >= w.tally.sent.Load() })
	r.Messages = &Messages{
		Sent: w.tally.sent.Load(), Returned: w.tally.received.Load(), Other: w.tally.other.Load(),
		PerSecond: float64(returned) / max(r.Seconds, 1e-9), Latency: w.tally.messages.latency(),
	}
	w.close()
	stop()
	return f.finish(stdout, r)
}

// echoes is one run of echoCommand.
type echoes struct {
	*crew
	*marker
	waits bool        // for the last message, before the next one
	over  atomic.Bool // no more are sent
}

// begin sends the first message of each client, or with a rate all of them until ctx is done.
func (e *echoes) begin(ctx context.Context, rate float64) {
	clients := e.all()
	p := pace{time.Now(), rate}
	for i := int64(0); len(clients) > 0; i++ {
		number := i/int64(len(clients)) + 1
		if e.waits && number > 1 || !sleepUntil(ctx, p.at(i)) {
			return
		}
		at := time.Now()
		if rate > 0 {
			at = p.at(i)
		}
		_ = e.send(clients[i%int64(len(clients))], number, e.at(at)) // the one who reads notices
	}
}

// send sends a client's next message.
func (e *echoes) send(c *client, number, at int64) error {
	e.tally.sent.Add(1)
	err := c.write(opText, e.message(c.index, number, at))
	if err != nil {
		e.tally.sent.Add(-1)
	}
	return err
}

// heard takes what came back.
func (e *echoes) heard(c *client, message []byte) error {
	m, found := findMark(message)
	switch {
	case !found || m.run != e.run || m.sender != c.index:
		e.tally.other.Add(1)
		return nil
	case m.number <= c.heard:
		e.tally.repeated.Add(1)
		e.tally.other.Add(1)
		return nil
	}
	c.heard = m.number
	e.tally.messages.record(time.Duration(e.now() - m.sent))
	e.tally.received.Add(1)
	if !e.waits || e.over.Load() {
		return nil
	}
	return e.send(c, m.number+1, e.now())
}
