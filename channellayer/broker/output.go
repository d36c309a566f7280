package broker

import (
	"net"
	"sync"
	"time"
)

// writeTimeout is how long a client may take to read what one write gives it.
const writeTimeout = 30 * time.Second

// output is what waits to be written to a client. A client that lets it grow beyond its limit is cut off.
type output struct {
	// Set at birth, never changed.
	conn    net.Conn
	buffers *budget
	slow    func()        // told when the client was cut off because it reads too slowly
	work    chan struct{} // holds something while bytes may be waiting

	mu     sync.Mutex // guards the fields below; a leaf: who has it takes no other lock
	bytes  []byte
	limit  int
	trusts bool // whether bytes are counted against the buffers, and limit is not a stranger's
	closed bool
	ending bool // whether the connection ends once all is written
}

// newOutput makes the output to a stranger.
func newOutput(conn net.Conn, buffers *budget, slow func()) *output {
	return &output{conn: conn, limit: strangerBytes, buffers: buffers, slow: slow, work: make(chan struct{}, 1)}
}

// trust raises the limit for good.
func (o *output) trust(limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.trusts {
		o.buffers.add(int64(len(o.bytes)))
		o.limit, o.trusts = limit, true
	}
}

// push lets bytes wait; it never waits itself.
func (o *output) push(b []byte) {
	if o.append(b) {
		signal(o.work)
		return
	}
	o.slow()
	_ = o.conn.Close()
}

// append reports false where the client must be cut off.
func (o *output) append(b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.ending {
		return true
	}
	if len(o.bytes)+len(b) > o.limit || o.trusts && !o.buffers.take(int64(len(b))) {
		o.closeLocked()
		return false
	}
	o.bytes = append(o.bytes, b...)
	return true
}

// end ends the connection once all that waits is written.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
	signal(o.work)
}

// close drops all that waits.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked()
}

func (o *output) closeLocked() {
	o.closed = true
	if o.trusts {
		o.buffers.add(-int64(len(o.bytes)))
	}
	o.bytes = nil
	signal(o.work)
}

// take returns what waits, for spare, which is used again, and how much of it is counted; more is false at the end of the
// connection.
func (o *output) take(spare []byte) (b []byte, counted int64, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b, o.bytes = o.bytes, spare; o.trusts {
		counted = int64(len(b))
	}
	return b, counted, !o.closed && !o.ending
}

// write writes what comes until the connection ends.
func (o *output) write() {
	defer o.conn.Close()
	var spare []byte
	for range o.work {
		b, counted, more := o.take(spare[:0])
		if len(b) > 0 {
			_ = o.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // a connection that is closed fails at Write
			_, err := o.conn.Write(b)
			o.buffers.add(-counted)
			if err != nil {
				o.close()
				return
			}
		}
		if !more {
			return
		}
		if spare = b; cap(spare) > 64<<10 {
			spare = nil // one large answer does not stay
		}
	}
}

// signal puts something into a chan of one place.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
