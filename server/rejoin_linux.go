package server

import (
	"math/rand/v2"
	"syscall"

	"github.com/belleville/belleville/internal/netpoll"
)

// rejoin gives a connection that net/http served to a loop again, with what it has read ahead and the head of the
// upgrade. It reports false where the connection can stay where it is only.
func (s *Server) rejoin(pools []pool, hc *handedConn, early []byte, h *head) bool {
	raw, ok := hc.Conn.(syscall.Conn)
	if !ok || len(pools) < 2 {
		return false
	}
	fd, err := netpoll.Duplicate(raw)
	if err != nil {
		return false
	}
	peer := addrOf(hc.RemoteAddr())
	_ = hc.Conn.Close() // the socket lives on in its other descriptor
	l := pools[1+rand.IntN(len(pools)-1)].(*loop)
	if taken := l.call(func() {
		c := s.newConn(l, s.admission.move(&hc.ticket))
		c.from(peer)
		c.keep(early)
		l.held.Add(1)
		l.enrol(c, fd)
		if c.fd >= 0 {
			s.handshake(c, h)
		}
	}); !taken {
		netpoll.Close(fd)
		s.admission.release(&hc.ticket)
	}
	return true
}
