//go:build !linux

package server

import "net"

// descriptorBudget is a guess where the limit cannot be asked for.
func descriptorBudget() int { return 1 << 16 }

// rejoin would give a connection back to a loop, which there is none of.
func (s *Server) rejoin([]pool, *handedConn, []byte, *head) bool { return false }

// open begins to serve a listener.
func (s *Server) open(l net.Listener) ([]pool, <-chan error, error) {
	streams := newStreams(s)
	return []pool{streams}, streams.listen(l), nil
}
