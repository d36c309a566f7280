package consumers

// Finish calls done once the consumer has nothing left to do, at once where that is so: a client that says a last word
// is answered before its connection ends. Messages that come later are taken, too. It is called once; where the
// connection is closed meanwhile done may not be called.
func (s *Socket) Finish(done func()) {
	s.mu.Lock()
	busy := s.state&(started|running|through|closing) == started|running && s.code == 0
	if busy {
		s.boxLocked().finish = done
	}
	s.mu.Unlock()
	if !busy {
		done()
	}
}
