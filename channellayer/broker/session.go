package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"
)

// version is the Redis whose answers the broker gives.
const version = "7.0.15"

// own is a command on the connection itself. It pushes its answer, and reports whether the connection ends.
type own struct {
	run         func(c *client, args []string) (end bool)
	least, most int // arguments, the name not counted; -1 for any number
}

// sessionCommands are the commands that have to do with one client alone.
func sessionCommands() map[string]own {
	const any = -1
	return map[string]own{
		"AUTH":         {auth, 1, 2},
		"HELLO":        {hello, 0, any},
		"CLIENT":       {clientCommand, 1, any},
		"SELECT":       {selectDatabase, 1, 1},
		"QUIT":         {quit, 0, any},
		"RESET":        {reset, 0, 0},
		"INFO":         {info, 0, any},
		"COMMAND":      {commandCommand, 0, any},
		"MULTI":        {multi, 0, 0},
		"EXEC":         {exec, 0, 0},
		"DISCARD":      {discard, 0, 0},
		"UNWATCH":      {unwatch, 0, 0},
		"SUBSCRIBE":    {subscribe, 1, any},
		"UNSUBSCRIBE":  {unsubscribe, 0, any},
		"PSUBSCRIBE":   {psubscribe, 1, any},
		"PUNSUBSCRIBE": {punsubscribe, 0, any},
		"BZPOPMIN":     {blockingPop, 2, any},
	}
}

// problem says what is wrong with a number of arguments, or "".
func (o own) problem(name string, n int) string {
	if n < o.least || o.most >= 0 && n > o.most {
		return wrongNumber(name)
	}
	return ""
}

func wrongNumber(name string) string {
	return "ERR wrong number of arguments for '" + strings.ToLower(shown(name)) + "' command"
}

// maxFailures is how many wrong passwords end a connection.
const maxFailures = 5

func auth(c *client, args []string) bool {
	if len(args) == 1 && c.broker.config.Password == "" {
		c.out.push(appendError(nil, "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"))
		return false
	}
	user := "default"
	if len(args) == 2 {
		user = args[0]
	}
	return c.admit(user, args[len(args)-1], appendOK(nil))
}

// admit lets a client in that gives the right password, and answers.
func (c *client) admit(user, password string, answer []byte) (end bool) {
	want := c.broker.config.Password
	got, wanted := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(want))
	right := subtle.ConstantTimeCompare(got[:], wanted[:]) == 1 || want == ""
	if user == "default" && right {
		c.know()
		c.out.push(answer)
		return false
	}
	c.broker.metrics.refused.WithLabelValues("password").Inc()
	c.out.push(appendError(nil, "WRONGPASS invalid username-password pair or user is disabled."))
	c.failures++
	return c.failures >= maxFailures
}

func (c *client) know() {
	c.out.trust(c.broker.config.MaxOutput)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = true
}

// unknow makes the client a stranger again.
func (c *client) unknow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.limit = false, time.Now().Add(strangerTime)
}

// hello answers as a Redis that speaks no RESP3.
func hello(c *client, args []string) bool {
	if len(args) > 0 {
		if problem := protocol(args[0]); problem != "" {
			c.out.push(appendError(nil, problem))
			return false
		}
		args = args[1:]
	}
	var user, password string
	given := false
	for len(args) > 0 {
		switch word := strings.ToUpper(args[0]); {
		case word == "AUTH" && len(args) >= 3:
			user, password, given = args[1], args[2], true
			args = args[3:]
		case word == "SETNAME" && len(args) >= 2:
			c.name = args[1]
			args = args[2:]
		default:
			c.out.push(appendError(nil, "ERR Syntax error in HELLO option '"+shown(args[0])+"'"))
			return false
		}
	}
	out := appendArray(nil, 14)
	for _, pair := range [][2]string{{"server", "redis"}, {"version", version}} {
		out = appendBulk(appendBulk(out, pair[0]), pair[1])
	}
	out = appendInt(appendBulk(out, "proto"), 2)
	out = appendInt(appendBulk(out, "id"), int(c.id))
	out = appendBulk(appendBulk(out, "mode"), "standalone")
	out = appendBulk(appendBulk(out, "role"), "master")
	out = appendArray(appendBulk(out, "modules"), 0)
	if given {
		return c.admit(user, password, out)
	}
	if !c.isKnown() {
		out = appendError(nil, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	c.out.push(out)
	return false
}

// protocol says what is wrong with a version of the protocol, or "".
func protocol(s string) string {
	switch n, ok := integer(s); {
	case !ok:
		return "ERR Protocol version is not an integer or out of range"
	case n != 2:
		return "NOPROTO unsupported protocol version"
	}
	return ""
}

// clientCommand is CLIENT, as far as libraries use it.
func clientCommand(c *client, args []string) bool {
	var out []byte
	switch name := strings.ToUpper(args[0]); {
	case name == "SETNAME" && len(args) == 2:
		c.name = args[1]
		out = appendOK(nil)
	case name == "GETNAME" && len(args) == 1 && c.name == "":
		out = appendNil(nil)
	case name == "GETNAME" && len(args) == 1:
		out = appendBulk(nil, c.name)
	case name == "ID" && len(args) == 1:
		out = appendInt(nil, int(c.id))
	case name == "UNBLOCK" && len(args) == 2:
		id, ok := integer(args[1])
		if !ok {
			out = appendError(nil, errInteger)
			break
		}
		out = appendInt(nil, truth(c.broker.unblock(int64(id))))
	case (name == "SETINFO" || name == "NO-EVICT" || name == "NO-TOUCH") && len(args) >= 2:
		out = appendOK(nil)
	default:
		out = appendError(nil, "ERR unknown subcommand '"+shown(args[0])+"' of CLIENT: this broker has SETNAME, GETNAME, SETINFO, ID, UNBLOCK, NO-EVICT and NO-TOUCH")
	}
	c.out.push(out)
	return false
}

// selectDatabase gives every client the same database, whatever number of Redis's sixteen it knows it by.
func selectDatabase(c *client, args []string) bool {
	n, ok := integer(args[0])
	switch {
	case !ok:
		c.out.push(appendError(nil, errInteger))
	case n < 0 || n > 15:
		c.out.push(appendError(nil, "ERR DB index is out of range"))
	default:
		c.out.push(appendOK(nil))
	}
	return false
}

func quit(c *client, _ []string) bool {
	c.out.push(appendOK(nil))
	return true
}

// reset makes the connection as it was at the beginning.
func reset(c *client, _ []string) bool {
	c.forgetQueue()
	c.broker.unsubscribeAll(c)
	c.name = ""
	if c.broker.config.Password != "" {
		c.unknow()
	}
	c.out.push(appendStatus(nil, "RESET"))
	return false
}

// info tells the most that a client might look for.
func info(c *client, _ []string) bool {
	b := c.broker
	text := fmt.Sprintf("# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\ntcp_port:0\r\nserver_name:belleville\r\n"+
		"\r\n# Clients\r\nconnected_clients:%d\r\n"+
		"\r\n# Memory\r\nused_memory:%d\r\nmaxmemory:%d\r\nmaxmemory_policy:noeviction\r\n"+
		"\r\n# Persistence\r\nloading:0\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
		version, b.clientCount(), b.memory.used.Load(), b.memory.limit)
	c.out.push(appendBulk(nil, text))
	return false
}

// commandCommand answers clients that ask which commands there are, to complete what a person types: none is told.
func commandCommand(c *client, args []string) bool {
	if len(args) > 0 && strings.EqualFold(args[0], "COUNT") {
		c.out.push(appendInt(nil, len(c.broker.session)+len(c.broker.data)))
		return false
	}
	c.out.push(appendArray(nil, 0))
	return false
}
