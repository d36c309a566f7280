package broker

func subscribe(c *client, args []string) bool {
	return c.subscribe("subscribe", args, c.topics, c.broker.database.topics)
}

func psubscribe(c *client, args []string) bool {
	return c.subscribe("psubscribe", args, c.patterns, c.broker.database.patterns)
}

func unsubscribe(c *client, args []string) bool {
	return c.unsubscribe("unsubscribe", args, c.topics, c.broker.database.topics)
}

func punsubscribe(c *client, args []string) bool {
	return c.unsubscribe("punsubscribe", args, c.patterns, c.broker.database.patterns)
}

// subscriptionCost is what a subscription takes, beside its name.
const subscriptionCost = 256

// subscribe subscribes a client to names, which it notes in mine and everybody's.
func (c *client) subscribe(kind string, args []string, mine map[string]struct{}, all subscriptions) bool {
	c.broker.do(func(t *tx) {
		for _, name := range args {
			_, exists := mine[name]
			switch {
			case len(name) > maxKey:
				c.out.push(appendError(nil, errLongName))
				continue
			case !exists && t.keyspace.memory.full():
				c.broker.metrics.refused.WithLabelValues("memory").Inc()
				c.out.push(appendError(nil, errMemory))
				continue
			case !exists:
				mine[name] = struct{}{}
				all.add(name, c)
				t.keyspace.memory.add(int64(len(name)) + subscriptionCost)
			}
			out := appendBulk(appendBulk(appendArray(nil, 3), kind), name)
			c.out.push(appendInt(out, len(c.topics)+len(c.patterns)))
		}
	})
	return false
}

// unsubscribe undoes subscribe, for all names where none is given.
func (c *client) unsubscribe(kind string, args []string, mine map[string]struct{}, all subscriptions) bool {
	c.broker.do(func(t *tx) {
		if len(args) == 0 {
			for name := range mine {
				args = append(args, name)
			}
		}
		for _, name := range args {
			c.dropLocked(t, name, mine, all)
			out := appendBulk(appendBulk(appendArray(nil, 3), kind), name)
			c.out.push(appendInt(out, len(c.topics)+len(c.patterns)))
		}
		if len(args) == 0 {
			out := appendNil(appendBulk(appendArray(nil, 3), kind))
			c.out.push(appendInt(out, len(c.topics)+len(c.patterns)))
		}
	})
	return false
}

// dropLocked ends a subscription, if there is one.
func (c *client) dropLocked(t *tx, name string, mine map[string]struct{}, all subscriptions) {
	if _, exists := mine[name]; exists {
		delete(mine, name)
		all.remove(name, c)
		t.keyspace.memory.add(-int64(len(name)) - subscriptionCost)
	}
}
