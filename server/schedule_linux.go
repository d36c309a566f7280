package server

// schedule looks at a connection's timers, and remembers when to look again.
func (l *loop) schedule(c *conn, now int64) {
	next, drop := c.expire(now)
	if drop {
		l.drop(c)
		return
	}
	l.remember(c, next)
	l.flushIfWanted(c)
}

// remember puts a connection into the wheel. An entry of it that stands elsewhere does nothing from then on.
func (l *loop) remember(c *conn, due int64) {
	c.due = due
	c.step = uint32(l.wheel.add(timerEntry{c.slot, c.gen}, due))
}

// flushIfWanted writes what a timer queued.
func (l *loop) flushIfWanted(c *conn) {
	c.mu.Lock()
	waits := c.out.waiting() > 0 && c.writer == nil
	c.mu.Unlock()
	if waits {
		l.flush(c)
	}
}

// reschedule makes sure that a connection in a phase is looked at in time when what happened calls for that sooner than
// was foreseen.
func (l *loop) reschedule(c *conn, p phase) {
	cfg, soon := l.server.cfg.Load(), c.due
	switch p {
	case closing, ending:
		soon = l.server.clock.now() + ticks(endTimeout)
	case open:
		soon = c.heard + ticks(cfg.PingInterval)
		if cfg.MaxAge > 0 {
			soon = min(soon, c.heard+ticks(cfg.MaxAge)*9/10) // from when on it may be too old
		}
		if c.starved {
			soon = l.server.clock.now() + wheelStep
		}
		if c.deaf {
			soon = min(soon, c.heard+ticks(closeTimeout))
		}
	}
	if c.writer != nil {
		soon = min(soon, l.server.clock.now()+ticks(cfg.WriteTimeout))
	}
	if soon < c.due {
		l.remember(c, soon)
	}
}

// look is the wheel's call for an entry.
func (l *loop) look(e timerEntry, now int64) {
	c := l.conns[e.slot]
	if c == nil || c.gen != e.gen || int64(c.step) != l.wheel.at {
		return
	}
	if c.due > now { // further away than the wheel reaches
		l.remember(c, c.due)
		return
	}
	l.schedule(c, now)
}
