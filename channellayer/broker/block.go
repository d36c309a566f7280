package broker

import (
	"math"
	"time"
)

// timeout reads the timeout of a blocking command, in seconds.
func timeout(s string) (d time.Duration, problem string) {
	f, ok := number(s)
	switch {
	case !ok:
		return 0, "ERR timeout is not a float or out of range"
	case f < 0:
		return 0, "ERR timeout is negative"
	case f > math.MaxInt32:
		return 0, "ERR timeout is out of range"
	}
	return time.Duration(f * float64(time.Second)), ""
}

// blockingPop is BZPOPMIN: it waits for the first entry that any of some keys gets. The client's other commands wait
// too.
func blockingPop(c *client, args []string) bool {
	d, problem := timeout(args[len(args)-1])
	keys := args[:len(args)-1]
	for _, name := range keys {
		if len(name) > maxKey {
			problem = errLongName
		}
	}
	if problem != "" {
		c.out.push(appendError(nil, problem))
		return false
	}
	w := newWaiter(keys)
	c.setWaiting(w)
	defer c.setWaiting(nil)
	c.broker.do(func(t *tx) { t.wait(w) })
	c.await(w, d)
	out := appendNilArray(nil)
	c.broker.do(func(t *tx) {
		t.stop(w)
		if c.gone.Err() != nil {
			t.giveBack(w)
		}
		if w.has {
			out = appendPopped(nil, w.key, w.got)
		}
	})
	c.out.push(out)
	return false
}

// await waits until w has ended, a time has passed that is not 0, or the client is gone.
func (c *client) await(w *waiter, d time.Duration) {
	var late <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-w.ended:
	case <-late:
	case <-c.gone.Done():
	}
}

func (c *client) setWaiting(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = w
}
