package server

import (
	"net"
	"sync"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// run is the owner's goroutine, from the first byte to the last.
func (st *stream) run() {
	defer st.pool.remove(st)
	var reader sync.WaitGroup
	reader.Go(st.read)
	defer reader.Wait()
	defer close(st.done)
	st.own()
	if !st.detached {
		_ = st.net.Close() // ends the reader
		st.c.release()
	}
}

// read is the reader's goroutine.
func (st *stream) read() {
	buf := make([]byte, 4<<10)
	for {
		n, err := st.net.Read(buf)
		var got []byte
		if err == nil || n > 0 {
			got = buf[:n]
		}
		select {
		case st.reads <- got:
		case <-st.done:
			return
		}
		if got == nil {
			return
		}
		select {
		case <-st.again:
		case <-st.done:
			return
		}
	}
}

// own does what happens on the connection, one thing after the other.
func (st *stream) own() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	scratch := make([]byte, 4<<10)
	holding := false // the reader waits for again
	reads := st.reads
	for {
		select {
		case data := <-reads:
			if data == nil {
				reads = nil
				if !st.c.partEnded() {
					_, _ = st.c.flush(scratch, st.write) // it may still read the answer to its last word
					return
				}
				break
			}
			holding = !st.c.feed(data)
			if st.detached {
				return
			}
			if !holding {
				st.again <- struct{}{}
			}
		case <-st.wakeups:
			w := st.c.wanted()
			if w&wantDrop != 0 {
				return
			}
			if w&wantRead != 0 && st.c.resume() && holding {
				holding = false
				st.again <- struct{}{}
			}
		case <-timer.C:
		}
		if !st.settle(scratch, timer) {
			return
		}
	}
}

// settle writes what waits and sets the timer. It reports whether the connection goes on.
func (st *stream) settle(scratch []byte, timer *time.Timer) bool {
	now := st.c.server.clock.now()
	next, drop := st.c.expire(now)
	if drop {
		return false
	}
	if _, err := st.c.flush(scratch, st.write); err != nil {
		return false
	}
	if st.c.flushed() {
		if st.c.ended {
			return false
		}
		if half, ok := st.net.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
	if p, _ := st.c.current(); p == closing || p == ending {
		next = min(next, now+ticks(endTimeout))
	}
	timer.Reset(time.Duration(max(next-now, 1)) * time.Millisecond)
	return true
}

// write writes to the peer, and waits for it as long as Config.WriteTimeout says.
func (st *stream) write(b []byte) (int, error) {
	_ = st.net.SetWriteDeadline(time.Now().Add(st.c.server.cfg.Load().WriteTimeout))
	return st.net.Write(b)
}

// detach implements driver. The reader is stopped before anybody else reads.
func (st *stream) detach(*conn) (net.Conn, error) {
	st.detached = true
	return st.net, nil
}

// crew implements driver.
func (*stream) crew() *consumers.Crew { return nil }

// flow implements driver.
func (st *stream) flow() *flow { return st.pool.flow }

// carrier implements driver.
func (*stream) carrier() channellayer.Carrier { return nil }
