// Package server holds the connections: it listens, answers handshakes after the application has spoken,
// moves frames, pings, closes and drains. On Linux it watches raw sockets with epoll, and an idle
// connection costs neither a goroutine nor a buffer; elsewhere a connection has goroutines of its own.
//
// Start with [New] and [Listen]. It knows nothing of sessions, users or routes: those are Applications.
package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// A Server serves an Application on its listeners. Its methods may be called concurrently.
type Server struct {
	// Set at birth, never changed.
	layer     channellayer.Layer
	clock     clock
	metrics   *metrics
	admission *admission
	deflaters deflaters
	traffic   traffic
	http      *http.Server
	handed    *handedListener // connections that turned out to be plain HTTP

	app         atomic.Pointer[consumers.Application] // these three are replaced by Reload
	cfg         atomic.Pointer[Config]
	rates       atomic.Pointer[addressRates]
	draining    atomic.Bool
	exhaustedAt atomic.Int64  // the tick at which it was last logged
	stuckAt     atomic.Int64  // likewise
	drainBegan  chan struct{} // closed when draining begins
	stop        chan struct{} // closed by Close
	stopOnce    sync.Once
	consumers   sync.WaitGroup // handshakes and consumers that are not through

	mu    sync.Mutex // guards the fields below
	pools []pool     // who holds connections
}

// A pool holds connections: a loop, or those that have goroutines of their own.
type pool interface {
	// each asks for a call of f for every connection, on its owner's goroutine, and returns when that
	// is done.
	each(f func(*conn))
	// stopAccepting closes the pool's way to new connections.
	stopAccepting()
	// close drops what is left and returns when all is gone.
	close()
}

// New makes a Server. Where layer is nil consumers have no channel layer.
func New(app consumers.Application, layer channellayer.Layer, cfg Config) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		layer:      layer,
		clock:      newClock(),
		metrics:    newMetrics(cfg.Registerer),
		admission:  newAdmission(&cfg),
		handed:     newHandedListener(),
		drainBegan: make(chan struct{}),
		stop:       make(chan struct{}),
	}
	s.app.Store(&app)
	s.cfg.Store(&cfg)
	s.rates.Store(newAddressRates(cfg.HandshakeRate, cfg.HandshakeBurst))
	s.http = s.newHTTPServer()
	return s
}

// Draining reports whether the server has stopped taking connections.
func (s *Server) Draining() bool { return s.draining.Load() }

// Close makes Serve stop at once, closing what is open without a word. A Serve that drains returns too.
func (s *Server) Close() error {
	s.stopOnce.Do(func() { close(s.stop) })
	return nil
}

// ErrNotDrained means that consumers or clients were cut off because they did not end in time.
var ErrNotDrained = errors.New("server: not all connections ended in time")

// Serve serves the connections of l until ctx is done; then it drains as Config says and returns nil, or
// ErrNotDrained. Any other error is the listener's or the system's. It closes l, and is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	pools, failed, err := s.open(l)
	if err != nil {
		_ = l.Close()
		return err
	}
	s.mu.Lock()
	s.pools = pools
	s.mu.Unlock()
	var running sync.WaitGroup
	running.Go(func() { _ = s.http.Serve(s.handed) }) // ends with http.ErrServerClosed
	defer running.Wait()
	defer s.http.Close()

	select {
	case <-ctx.Done():
	case <-s.stop:
	case err = <-failed:
	}
	drained := s.drain()
	for _, p := range pools {
		p.close()
	}
	return errors.Join(err, drained)
}
