package server

// schedule looks at a connection's timers, and remembers when to look again.
func (l *loop) schedule(c *conn, now int64) {
	next, drop := c.expire(now)
	if drop {
		l.drop(c)
		return
	}
	c.due = next
	l.wheel.add(timerEntry{c.slot, c.gen}, next)
	l.flushIfWanted(c)
}

// flushIfWanted writes what a timer queued.
func (l *loop) flushIfWanted(c *conn) {
	c.mu.Lock()
	waits := c.out.count > 0 && len(c.writer.frames) == 0
	c.mu.Unlock()
	if waits {
		l.flush(c)
	}
}

// reschedule makes sure that a connection that is to end soon is looked at soon. An entry for a later time
// stays in the wheel, and does nothing then.
func (l *loop) reschedule(c *conn) {
	if c.fd < 0 {
		return
	}
	now := l.server.clock.now()
	soon := int64(0)
	switch p, _ := c.current(); {
	case p == closing || p == ending:
		soon = now + ticks(endTimeout)
	case len(c.writer.frames) > 0:
		soon = now + ticks(l.server.cfg.WriteTimeout)
	}
	if soon != 0 && soon < c.due {
		c.due = soon
		l.wheel.add(timerEntry{c.slot, c.gen}, soon)
	}
}

// look is the wheel's call for an entry.
func (l *loop) look(e timerEntry, now int64) {
	c := l.conns[e.slot]
	if c == nil || c.gen != e.gen {
		return
	}
	if c.due > now {
		l.wheel.add(e, c.due)
		return
	}
	l.schedule(c, now)
}
