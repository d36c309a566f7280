package server

// attend implements driver.
func (l *loop) attend(c *conn) {
	l.mu.Lock()
	l.posted = append(l.posted, c)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poller.Wake()
	}
}

// call runs f on the loop's goroutine, and returns when it has run or the loop has ended. It reports whether it has.
func (l *loop) call(f func()) (done bool) {
	ran := make(chan struct{})
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		return false
	}
	l.calls = append(l.calls, func() { f(); close(ran) })
	l.asleep = false
	l.mu.Unlock()
	l.poller.Wake()
	select {
	case <-ran:
		return true
	case <-l.done:
		select {
		case <-ran: // it was the last thing that ran
			return true
		default:
			return false
		}
	}
}

// stop has the loop take nothing more, and begins and brings what it has taken.
func (l *loop) stop() {
	l.mu.Lock()
	l.stopped = true
	arrivals := l.arrivals
	l.arrivals = nil
	l.room.Broadcast()
	l.mu.Unlock()
	for _, a := range arrivals {
		l.begin(a)
	}
	for load, ok := l.nextLoad(); ok; load, ok = l.nextLoad() {
		load.Deliver()
	}
}

// keptPosts is how many posts a loop has room for while there are none.
const keptPosts = 4 << 10

// attendAll does what was posted, after events of the channel layer have been brought.
func (l *loop) attendAll() {
	l.deliver()
	l.mu.Lock()
	posted, calls, arrivals := l.posted, l.calls, l.arrivals
	l.posted, l.calls, l.arrivals, l.asleep = l.served[:0], nil, nil, false
	l.mu.Unlock()
	for _, a := range arrivals {
		l.begin(a)
	}
	for _, c := range posted {
		l.serve(c)
	}
	clear(posted)
	l.served = nil
	if cap(posted) <= keptPosts {
		l.served = posted
	}
	for _, f := range calls {
		f()
	}
}

// serve does what was asked for a connection.
func (l *loop) serve(c *conn) {
	w := c.wanted()
	if c.fd < 0 {
		return
	}
	if w&wantDrop != 0 {
		l.drop(c)
		return
	}
	if w&wantRead != 0 && c.resume() {
		l.read(c)
	}
	l.flush(c)
}
