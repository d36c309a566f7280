package broker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// clients are all connections.
type clients struct {
	mu      sync.Mutex // guards the fields below
	byID    map[int64]*client
	last    int64 // id
	closed  bool
	running sync.WaitGroup
}

// Serve lets clients in until ctx is done, or the layer is closed; it returns nil then. It closes the listener and waits
// until all clients are gone.
func (l *Layer) Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { l.watch(ctx, listener) })
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			l.welcome(conn)
		case errors.Is(err, net.ErrClosed):
			l.closeClients()
			return nil
		default:
			l.config.Logger.Warn("broker: a client was not let in", slog.String("error", err.Error()))
			if pause(ctx) != nil {
				_ = listener.Close() // the next Accept says so
			}
		}
	}
}

// watch closes the listener when it is time, and ends keys that expire until then.
func (l *Layer) watch(ctx context.Context, listener net.Listener) {
	defer listener.Close()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			l.do(func(*tx) {})
		case <-ctx.Done():
			return
		case <-l.ended:
			return
		}
	}
}

// welcome serves a connection, unless there are too many. Then one that is nobody's yet gives way to it, the oldest first:
// connections that only wait keep no place from those that have something to say.
func (l *Layer) welcome(conn net.Conn) {
	c, ok := l.newClient(conn)
	if !ok {
		l.metrics.refused.WithLabelValues("clients").Inc()
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // it is closed in any case
		_, _ = conn.Write([]byte("-ERR max number of clients reached\r\n"))
		_ = conn.Close()
		return
	}
	l.clients.running.Go(c.serve)
}

func (l *Layer) newClient(conn net.Conn) (*client, bool) {
	l.clients.mu.Lock()
	defer l.clients.mu.Unlock()
	if l.clients.closed || len(l.clients.byID) >= l.config.MaxClients && !l.clients.makeRoomLocked() {
		return nil, false
	}
	l.clients.last++
	gone, leave := context.WithCancel(context.Background())
	c := &client{
		broker: l, id: l.clients.last, conn: conn,
		out:      newOutput(conn, &l.buffers, l.metrics.refused.WithLabelValues("slow").Inc),
		commands: make(chan command, mostAhead), settled: make(chan struct{}, 1),
		gone: gone, leave: leave,
		topics: make(map[string]struct{}), patterns: make(map[string]struct{}),
		limit: time.Now().Add(strangerTime),
	}
	if l.config.Password == "" {
		c.know()
	}
	if l.clients.byID == nil {
		l.clients.byID = make(map[int64]*client)
	}
	l.clients.byID[c.id] = c
	return c, true
}

// makeRoomLocked cuts off the stranger that came first, and reports whether there was one.
func (s *clients) makeRoomLocked() bool {
	var first *client
	for _, c := range s.byID {
		if (first == nil || c.id < first.id) && c.isStranger() {
			first = c
		}
	}
	if first == nil {
		return false
	}
	delete(s.byID, first.id)
	first.broker.metrics.refused.WithLabelValues("clients").Inc()
	first.leave()
	_ = first.conn.Close()
	return true
}

// forget takes out a client that is gone.
func (l *Layer) forget(c *client) {
	l.unsubscribeAll(c)
	l.clients.mu.Lock()
	defer l.clients.mu.Unlock()
	delete(l.clients.byID, c.id)
}

// unsubscribeAll ends the subscriptions of a client.
func (l *Layer) unsubscribeAll(c *client) {
	if !c.isSubscriber() {
		return
	}
	l.do(func(t *tx) {
		for topic := range c.topics {
			c.dropLocked(t, topic, c.topics, t.topics)
		}
		for pattern := range c.patterns {
			c.dropLocked(t, pattern, c.patterns, t.patterns)
		}
	})
}

func (l *Layer) clientCount() int {
	l.clients.mu.Lock()
	defer l.clients.mu.Unlock()
	return len(l.clients.byID)
}

// unblock ends the waiting of a client, and reports whether it waited.
func (l *Layer) unblock(id int64) (was bool) {
	w := l.waiterOf(id)
	if w == nil {
		return false
	}
	l.do(func(t *tx) {
		was = !w.over
		t.stop(w)
	})
	return was
}

func (l *Layer) waiterOf(id int64) *waiter {
	l.clients.mu.Lock()
	defer l.clients.mu.Unlock()
	c := l.clients.byID[id]
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// closeClients cuts off all clients, and waits until they are gone. No new ones come.
func (l *Layer) closeClients() {
	for _, c := range l.endClients() {
		c.leave()
		_ = c.conn.Close()
	}
	l.clients.running.Wait()
}

func (l *Layer) endClients() []*client {
	l.clients.mu.Lock()
	defer l.clients.mu.Unlock()
	l.clients.closed = true
	list := make([]*client, 0, len(l.clients.byID))
	for _, c := range l.clients.byID {
		list = append(list, c)
	}
	return list
}

// Close ends the layer and every Serve. Channels get nothing more.
func (l *Layer) Close() error {
	if l.closing.Swap(true) {
		return nil
	}
	close(l.ended)
	l.closeClients()
	l.inbox.running.Wait() // nothing is put in any more
	return nil
}

const errMemory = "OOM command not allowed when used memory > 'maxmemory'."

// lookUp returns what is known of a command on the data, or what is wrong with it. raw is its name as it came.
func (l *Layer) lookUp(name, raw string, args []string) (s spec, problem string) {
	s, ok := l.data[name]
	if !ok {
		if own, ok := l.session[name]; ok {
			return s, own.problem(name, len(args))
		}
		l.metrics.refused.WithLabelValues("unknown").Inc()
		return s, "ERR unknown command '" + shown(raw) + "': this is Belleville's broker, which is for channel layers alone"
	}
	switch {
	case len(args) < s.least || s.most >= 0 && len(args) > s.most:
		return s, wrongNumber(name)
	case s.write && l.memory.full():
		l.metrics.refused.WithLabelValues("memory").Inc()
		return s, errMemory
	case s.named && len(args[0]) > maxKey:
		return s, errLongName
	}
	return s, ""
}
