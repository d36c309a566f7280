package server

import (
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
	if !ok || s.cfg.TLS != nil {
		failed := streams.listen(l)
		return []pool{streams}, failed, nil
	}
	failed := make(chan error, s.cfg.Loops)
	pools := []pool{streams}
	for range s.cfg.Loops {
		fd, err := netpoll.Duplicate(raw)
		if err != nil {
			return nil, nil, err
		}
		lp, err := newLoop(s, fd)
		if err != nil {
			return nil, nil, err
		}
		pools = append(pools, lp)
	}
	for _, p := range pools[1:] {
		go func() {
			if err := p.(*loop).run(); err != nil {
				failed <- err
			}
		}()
	}
	streams.adopt(l)
	return pools, failed, nil
}
