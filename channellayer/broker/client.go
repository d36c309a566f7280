package broker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// mostAhead is how many commands of a client are read before they run; further ones wait in the network.
	mostAhead = 64

	// What a client may do before it has given the password. Its bytes count against no budget, which strangers could use
	// up for those who know the password.
	strangerArguments = 10
	strangerBytes     = 2 << 10 // of a command, and of answers that it does not read
	strangerTime      = 10 * time.Second

	// commandTime is how long a command may take to arrive once it has begun.
	commandTime = time.Minute
)

// client is a connection from outside. One goroutine reads its commands, one runs them, one writes.
type client struct {
	// Set at birth, never changed.
	broker   *Layer
	id       int64
	conn     net.Conn
	out      *output
	commands chan command  // closed by who reads
	settled  chan struct{} // gets something for each command that settles
	gone     context.Context
	leave    context.CancelFunc

	// Owned by the goroutine that runs commands, but for welcome.
	name     string
	failures int // wrong passwords
	topics   map[string]struct{}
	patterns map[string]struct{}
	queued   *transaction // nil outside of MULTI

	mu      sync.Mutex // guards the fields below
	known   bool       // whether the client has given the password, or needs none
	spoke   bool       // whether it has sent a command
	limit   time.Time  // when it must have, if it must
	waiting *waiter    // what BZPOPMIN waits for
}

// deadlined is a connection from which a command that has begun must come within a time.
type deadlined struct {
	*client
	begun bool // owned by the goroutine that reads
}

// Read implements [io.Reader].
func (d *deadlined) Read(b []byte) (int, error) {
	limit := time.Time{}
	switch {
	case !d.isKnown():
		limit = d.patience()
	case d.begun:
		limit = time.Now().Add(commandTime)
	}
	_ = d.conn.SetReadDeadline(limit) // a connection that is closed fails at Read
	return d.conn.Read(b)
}

// serve serves the connection until it ends.
func (c *client) serve() {
	var running sync.WaitGroup
	running.Go(c.out.write)
	running.Go(c.runAll)
	c.readAll()
	c.leave()
	close(c.commands)
	running.Wait()
}

// readAll reads commands until the connection ends, or something in it is not to be read on.
func (c *client) readAll() {
	source := &deadlined{client: c}
	r := &reader{in: bufio.NewReaderSize(source, 4<<10)}
	for {
		source.begun = false
		if _, err := r.in.Peek(1); err != nil {
			return
		}
		source.begun = true
		stranger := !c.isKnown()
		if r.bounds, r.buffers = c.broker.config.bounds(), &c.broker.buffers; stranger {
			r.bounds, r.buffers = bounds{strangerArguments, strangerBytes, strangerBytes}, nil
		}
		cmd, err := r.read()
		if err != nil {
			c.refuse(err)
			return
		}
		c.speak()
		cmd.settles = stranger
		if !c.hand(cmd) {
			c.broker.buffers.add(-cmd.bytes)
			return
		}
		if stranger {
			<-c.settled // it may be the password, after which more is allowed
		}
	}
}

// hand hands a command to who runs them. It reports false where the client must go: it sends more and more while it
// waits in a blocking pop, so that nobody would see its end.
func (c *client) hand(cmd command) bool {
	select {
	case c.commands <- cmd:
		return true
	default:
	}
	late := time.NewTimer(commandTime)
	defer late.Stop()
	select {
	case c.commands <- cmd:
		return true
	case <-late.C:
		c.broker.metrics.refused.WithLabelValues("protocol").Inc()
	case <-c.gone.Done():
	}
	return false
}

// refuse tells the client what was wrong with what it sent, unless the connection has ended.
func (c *client) refuse(err error) {
	var network net.Error
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return
	}
	c.broker.metrics.refused.WithLabelValues("protocol").Inc()
	c.out.push(appendError(nil, "ERR Protocol error: "+err.Error()))
}

// runAll runs commands one after the other.
func (c *client) runAll() {
	ended := false
	for cmd := range c.commands {
		kept := false
		if !ended {
			kept, ended = c.run(cmd)
		}
		if !kept {
			c.broker.buffers.add(-cmd.bytes)
		}
		if ended {
			c.out.end()
		}
		if cmd.settles {
			c.settled <- struct{}{}
		}
	}
	c.forgetQueue()
	c.broker.forget(c)
	c.out.end()
}

// run runs a command. It reports whether the command is kept for later, and whether the connection ends.
func (c *client) run(cmd command) (kept, end bool) {
	name, args := strings.ToUpper(cmd.args[0]), cmd.args[1:]
	if !c.isKnown() && !beforePassword(name) {
		c.broker.metrics.refused.WithLabelValues("password").Inc()
		c.out.push(appendError(nil, "NOAUTH Authentication required."))
		return false, false
	}
	if c.isSubscriber() && !whileSubscribed(name) {
		c.out.push(appendError(nil, "ERR Can't execute '"+shown(cmd.args[0])+"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"))
		return false, false
	}
	if c.queued != nil && !inTransaction(name) {
		return c.enqueue(name, cmd), false
	}
	if own, ok := c.broker.session[name]; ok {
		if problem := own.problem(name, len(args)); problem != "" {
			c.out.push(appendError(nil, problem))
			return false, false
		}
		return false, own.run(c, args)
	}
	if name == "PING" && c.isSubscriber() {
		c.out.push(appendBulks(nil, []string{"pong", strings.Join(args, " ")}))
		return false, false
	}
	s, problem := c.broker.lookUp(name, cmd.args[0], args)
	if problem != "" {
		c.out.push(appendError(nil, problem))
		return false, false
	}
	var out []byte
	c.broker.do(func(t *tx) { out = s.run(t, nil, args) })
	c.out.push(out)
	return false, false
}

func (c *client) isKnown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// speak notes that the client has sent a command.
func (c *client) speak() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoke = true
}

// isStranger reports whether the client is nobody yet: it has not given the password, or, where none is needed, said nothing.
func (c *client) isStranger() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.known || !c.spoke
}

// patience returns until when the client must have given the password.
func (c *client) patience() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limit
}

func (c *client) isSubscriber() bool { return len(c.topics)+len(c.patterns) > 0 }

func beforePassword(name string) bool {
	return name == "AUTH" || name == "HELLO" || name == "QUIT" || name == "RESET"
}

func whileSubscribed(name string) bool {
	switch name {
	case "SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "PING", "QUIT", "RESET":
		return true
	}
	return false
}

// shown makes the name of a command fit to be repeated to who has sent it.
func shown(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return strings.ToValidUTF8(name, "?")
}
