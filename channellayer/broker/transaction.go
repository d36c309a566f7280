package broker

import "slices"

// mostQueued is how many commands a transaction has at most.
const mostQueued = 10_000

// transaction is what a client has queued since MULTI.
type transaction struct {
	steps  []step
	bytes  int64 // counted against the buffers
	broken bool  // whether a command was refused, so that EXEC will be
}

// step is a command of a transaction.
type step struct {
	spec spec
	args []string
}

// inTransaction reports whether a command is not queued.
func inTransaction(name string) bool {
	return slices.Contains([]string{"EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET"}, name)
}

// enqueue queues a command and reports whether it was.
func (c *client) enqueue(name string, cmd command) bool {
	q := c.queued
	s, problem := c.broker.lookUp(name, cmd.args[0], cmd.args[1:])
	switch {
	case problem != "":
	case c.broker.session[name].run != nil && s.run == nil:
		problem = "ERR Command not allowed inside a transaction"
	case len(q.steps) == mostQueued:
		problem = "ERR a transaction has too many commands"
	}
	if problem != "" {
		q.broken = true
		c.out.push(appendError(nil, problem))
		return false
	}
	q.steps = append(q.steps, step{s, cmd.args[1:]})
	q.bytes += cmd.bytes
	c.out.push(appendStatus(nil, "QUEUED"))
	return true
}

// forgetQueue ends a transaction.
func (c *client) forgetQueue() {
	if c.queued != nil {
		c.broker.buffers.add(-c.queued.bytes)
		c.queued = nil
	}
}

func multi(c *client, _ []string) bool {
	if c.queued != nil {
		c.out.push(appendError(nil, "ERR MULTI calls can not be nested"))
		return false
	}
	c.queued = new(transaction)
	c.out.push(appendOK(nil))
	return false
}

func exec(c *client, _ []string) bool {
	q := c.queued
	if q == nil {
		c.out.push(appendError(nil, "ERR EXEC without MULTI"))
		return false
	}
	defer c.forgetQueue()
	if q.broken {
		c.out.push(appendError(nil, "EXECABORT Transaction discarded because of previous errors."))
		return false
	}
	out := appendArray(nil, len(q.steps))
	c.broker.do(func(t *tx) {
		for _, s := range q.steps {
			out = s.spec.run(t, out, s.args)
		}
	})
	c.out.push(out)
	return false
}

func discard(c *client, _ []string) bool {
	if c.queued == nil {
		c.out.push(appendError(nil, "ERR DISCARD without MULTI"))
		return false
	}
	c.forgetQueue()
	c.out.push(appendOK(nil))
	return false
}

func unwatch(c *client, _ []string) bool {
	c.out.push(appendOK(nil)) // nothing is ever watched
	return false
}
