package broker

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// maxScripts is how many texts of scripts are remembered by their hashes: the known ones, as different clients space
// them.
const maxScripts = 256

// script is a script of a layer that the broker does itself, without Lua. It appends its answer to out.
type script func(t *tx, out []byte, keys, args []string) []byte

// knownScripts are the scripts by the SHA-1 of their text with single spaces between words.
func knownScripts() map[string]script {
	return map[string]script{
		// channels_redis, 4.0 to 4.3
		"eed9a5bf1f67d97a42eb50e3a59d53d708c636da": scriptRescue,
		"33ce775bc9b43441f7d5abf901ba299582c8562b": scriptGroupSend,
		"854937a011232e41f72c568bdb17344a91ae7a7f": scriptFlush,

		// redislayer
		"ad388534d2cdfc4146170df43456e9c3d8adfb32": nodePush,
		"421994340b5e0a49a5706f0d6a4a48b6d0fc73af": nodeDrain,
		"31d294979a82f9f8df249e9c93f74b38120b8942": nodeMembers,
		"4ee7583fd036f1a011610cbc9c82df032ca6ac90": nodeAdd,
		"6bbd34bba5723ac03baff7a087297a0286252207": nodeRegister,
		"496a834941243f9338c2d415a7470f180e6fef60": nodeUnregister,
		"c3828ca8f187ef2b7b0379bfac30a57ea51b886c": nodeBeat,
		"f64cd0c6c933da8d27544d0f4a1461b15f79e0d0": nodeSweep,
		"cd3acf2638853040ca25040e7137e229e6916271": nodeReap,
		"2aa5d1fb658aca453b6fad9add6855a2859a7e4d": nodeRescue,
	}
}

func hashOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// recognize returns the script that a text is, and remembers it.
func (t *tx) recognize(text string) (s script, hash string) {
	hash = hashOf(text)
	if s := t.scripts[hash]; s != nil {
		return s, hash
	}
	if s = t.known[hashOf(strings.Join(strings.Fields(text), " "))]; s == nil {
		return nil, hash
	}
	if len(t.scripts) >= maxScripts {
		clear(t.scripts)
	}
	t.scripts[hash] = s
	return s, hash
}

// unknownScript names a script that is not run.
func unknownScript(hash string) string {
	return "ERR the script " + hash + " is not one of channels_redis's or Belleville's: this broker runs no others"
}

func eval(t *tx, out []byte, args []string) []byte {
	s, hash := t.recognize(args[0])
	if s == nil {
		return appendError(out, unknownScript(hash))
	}
	return t.runScript(s, out, args[1:])
}

func evalsha(t *tx, out []byte, args []string) []byte {
	s := t.scripts[strings.ToLower(args[0])]
	if s == nil {
		return appendError(out, "NOSCRIPT No matching script. Please use EVAL.")
	}
	return t.runScript(s, out, args[1:])
}

// runScript runs a script on a number of keys, keys and arguments.
func (t *tx) runScript(s script, out []byte, args []string) []byte {
	n, ok := integer(args[0])
	switch {
	case !ok:
		return appendError(out, errInteger)
	case n < 0:
		return appendError(out, "ERR Number of keys can't be negative")
	case n > len(args)-1:
		return appendError(out, "ERR Number of keys can't be greater than number of args")
	}
	keys := args[1 : 1+n]
	for _, name := range keys {
		if len(name) > maxKey {
			return appendError(out, errLongName)
		}
	}
	return s(t, out, keys, args[1+n:])
}

// scriptCommand is SCRIPT LOAD, EXISTS and FLUSH.
func scriptCommand(t *tx, out []byte, args []string) []byte {
	switch name := strings.ToUpper(args[0]); {
	case name == "LOAD" && len(args) == 2:
		s, hash := t.recognize(args[1])
		if s == nil {
			return appendError(out, unknownScript(hash))
		}
		return appendBulk(out, hash)
	case name == "EXISTS":
		out = appendArray(out, len(args)-1)
		for _, hash := range args[1:] {
			out = appendInt(out, truth(t.scripts[strings.ToLower(hash)] != nil))
		}
		return out
	case name == "FLUSH" && len(args) <= 2:
		clear(t.scripts)
		return appendOK(out)
	}
	return appendError(out, "ERR unknown subcommand of SCRIPT: this broker has LOAD, EXISTS and FLUSH")
}

// errArguments is what a script answers that got other arguments than its author gives it.
const errArguments = "ERR wrong arguments for a script of channels_redis's or Belleville's"

// scriptRescue moves what a receiver that died had in its hands, in the key of its second argument, back to that of
// the first. Python: RedisChannelLayer._brpop_with_clean.
func scriptRescue(t *tx, out []byte, _, args []string) []byte {
	if len(args) < 2 || len(args[0]) > maxKey || len(args[1]) > maxKey {
		return appendError(out, errArguments)
	}
	if k := t.get(args[1]); k != nil {
		for _, e := range t.entries(args[1], 0, k.set.len()) {
			t.add(args[0], e.member, e.score)
		}
		t.keyspace.clear(k)
	}
	return appendNil(out)
}

// scriptGroupSend puts a message on each key that is below its capacity, and returns how many were not. Its arguments
// are the messages, the capacities, the score and the expiry. Python: RedisChannelLayer.group_send.
func scriptGroupSend(t *tx, out []byte, keys, args []string) []byte {
	n := len(keys)
	if len(args) < 2*n+2 {
		return appendError(out, errArguments)
	}
	score, okScore := number(args[len(args)-2])
	expiry, okExpiry := integer(args[len(args)-1])
	over := 0
	for i, name := range keys {
		capacity, ok := number(args[n+i])
		if !ok {
			return appendError(out, errArguments)
		}
		if float64(t.size(name)) >= capacity {
			over++
			continue
		}
		if !okScore {
			return appendError(out, errFloat)
		}
		t.add(name, args[i], score)
		if !okExpiry {
			return appendError(out, errInteger)
		}
		t.expire(name, time.Duration(max(-1, min(expiry, 1<<32)))*time.Second)
	}
	return appendInt(out, over)
}

// size returns how many members a key has.
func (t *tx) size(name string) int {
	if k := t.get(name); k != nil {
		return k.count()
	}
	return 0
}

// scriptFlush deletes the keys that match its argument. Python: RedisChannelLayer.flush.
func scriptFlush(t *tx, out []byte, _, args []string) []byte {
	if len(args) < 1 || len(args[0]) > maxKey {
		return appendError(out, errArguments)
	}
	for _, name := range t.keysLike(args[0]) {
		if k := t.get(name); k != nil {
			t.keyspace.clear(k)
		}
	}
	return appendNil(out)
}

// formatTime writes a time as Belleville's scripts do.
func formatTime(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 6, 64) }
