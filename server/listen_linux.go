package server

import (
	"log/slog"
	"net"
	"syscall"

	"github.com/belleville/belleville/internal/netpoll"
)

// descriptorReserve is how many descriptors are left for databases, files and plain HTTP.
const descriptorReserve = 256

// descriptorBudget returns how many connections the limit on open files allows.
func descriptorBudget() int {
	limit := netpoll.MaxOpenFiles()
	if limit == 0 {
		return 1 << 20
	}
	return max(limit-descriptorReserve, limit/2)
}

// open begins to serve a listener. A raw socket gets the loops; anything else, such as TLS, goroutines.
func (s *Server) open(l net.Listener) ([]pool, <-chan error, error) {
	streams := newStreams(s)
	raw, ok := l.(syscall.Conn)
	if ok && l.Addr().Network() == "tcp" { // what is accepted inherits it
		if err := netpoll.SetUserTimeout(raw, s.cfg.Load().UserTimeout); err != nil {
			s.cfg.Load().Logger.Warn("the listener has no user timeout", slog.String("error", err.Error()))
		}
	}
	if !ok || s.cfg.Load().TLS != nil {
		failed := streams.listen(l)
		return []pool{streams}, failed, nil
	}
	failed := make(chan error, s.cfg.Load().Loops)
	pools := []pool{streams}
	var fleet []*loop
	for range s.cfg.Load().Loops {
		fd, err := netpoll.Duplicate(raw)
		if err != nil {
			return nil, nil, err
		}
		lp, err := newLoop(s, fd)
		if err != nil {
			return nil, nil, err
		}
		pools, fleet = append(pools, lp), append(fleet, lp)
	}
	for _, lp := range fleet {
		lp.fleet = fleet
	}
	for _, lp := range fleet {
		go func() {
			if err := lp.run(); err != nil {
				failed <- err
			}
		}()
	}
	streams.adopt(l)
	return pools, failed, nil
}
