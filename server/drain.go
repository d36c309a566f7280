package server

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/belleville/belleville/consumers"
)

// drain ends the service: no new connections, then a close frame for each WebSocket, spread over the drain
// window, then the time that clients and consumers may take. Close cuts it short.
func (s *Server) drain() error {
	s.draining.Store(true)
	close(s.drainBegan)
	s.metrics.draining.Set(1)
	for _, p := range s.pools {
		p.stopAccepting()
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Load().DrainWindow+s.cfg.Load().DrainTimeout)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.sayGoodbye(ctx)
	_ = s.http.Shutdown(ctx) // what is left is closed by Serve
	if s.awaitEmpty(ctx) && s.awaitConsumers(ctx) {
		return nil
	}
	for _, p := range s.pools {
		p.close()
	}
	return ErrNotDrained
}

// sayGoodbye closes all WebSockets, evenly over the drain window.
func (s *Server) sayGoodbye(ctx context.Context) {
	var all []*conn
	for _, p := range s.pools {
		p.each(func(c *conn) { all = append(all, c) })
	}
	start := time.Now()
	for i, c := range all {
		at := start.Add(s.cfg.Load().DrainWindow * time.Duration(i) / time.Duration(len(all)))
		if !sleepUntil(ctx, at) {
			return
		}
		c.goodbye()
	}
}

// goodbyeReason stands in the close frames of a drain.
const goodbyeReason = "server restarts"

// goodbye closes a WebSocket behind what waits for its client, and drops a connection that is none yet.
func (c *conn) goodbye() {
	c.mu.Lock()
	p := c.phase
	c.mu.Unlock()
	switch p {
	case reading, prefacing:
		c.request(wantDrop)
	case deciding:
		if c.Answer(consumers.Response{Status: 503, Header: retryAfter(), Reason: consumers.ReasonDraining}) != nil {
			_ = c.Close(c.server.cfg.Load().DrainCode, goodbyeReason) // it was accepted at this moment
			return
		}
		c.mu.Lock()
		socket := c.socket
		c.mu.Unlock()
		if socket != nil {
			socket.Disconnect(consumers.CloseAbnormal)
		}
	case open:
		_ = c.Close(c.server.cfg.Load().DrainCode, goodbyeReason) // it may have closed by itself
	}
}

// sleepUntil waits for a time, and reports false where ctx ended before.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// awaitEmpty waits until all connections are gone, and reports false where ctx ended before.
func (s *Server) awaitEmpty(ctx context.Context) bool {
	for s.admission.count() > 0 {
		if !sleepUntil(ctx, time.Now().Add(10*time.Millisecond)) {
			return false
		}
	}
	return true
}

// awaitConsumers waits until all consumers are through, and reports false where ctx ended before.
func (s *Server) awaitConsumers(ctx context.Context) bool {
	through := make(chan struct{})
	go func() { // ends with the last consumer
		s.consumers.Wait()
		close(through)
	}()
	select {
	case <-through:
		return true
	case <-ctx.Done():
		return false
	}
}

// exhaustionInterval is how long the lack of descriptors is not logged again, in ticks.
const exhaustionInterval = 10_000

// exhausted counts, and logs now and then, that the system has no room for another connection.
func (s *Server) exhausted(err error) {
	s.metrics.broken.WithLabelValues("exhausted").Inc()
	now := s.clock.now()
	last := s.exhaustedAt.Load()
	if last != 0 && now-last < exhaustionInterval || !s.exhaustedAt.CompareAndSwap(last, max(now, 1)) {
		return
	}
	s.cfg.Load().Logger.Error("cannot accept connections: raise the limit on open files or lower max_connections",
		slog.String("error", err.Error()))
}

// peerOf reads the address that net/http tells.
func peerOf(address string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(address) // a unix socket has none
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
