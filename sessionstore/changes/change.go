package changes

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Channel is what is LISTENed to; the triggers NOTIFY it.
const Channel = "belleville_live"

// A Kind says what has changed.
type Kind uint8

// The kinds.
const (
	Session  Kind = iota + 1 // the session that Hash stands for
	User                     // the user whom Hash stands for
	Anything                 // nobody knows what: something may have been missed, or a table was emptied
)

// A Change is what may be another thing now, or gone.
type Change struct {
	Kind Kind
	// Hash is the first bytes of the SHA-256 of the session key, or of "user:" and the primary key as text.
	Hash [8]byte
	// Committed is shortly before the change was committed, by the clock of the database; zero where that is not
	// known.
	Committed time.Time
}

// maxPayload bounds what is read of a notification, in bytes: the longest of ours has 64.
const maxPayload = 64

// digits is how long a hash is in hexadecimal.
const digits = 2 * len(Change{}.Hash)

// parse reads the payload of a notification of a trigger: "s" or "u" and the hash in hexadecimal, or "a" for all; then
// ":" and the time in milliseconds since 1970.
func parse(payload string) (Change, bool) {
	if len(payload) > maxPayload || payload == "" {
		return Change{}, false
	}
	var c Change
	rest := payload[1:]
	switch payload[0] {
	case 's':
		c.Kind = Session
	case 'u':
		c.Kind = User
	case 'a':
		c.Kind = Anything
	default:
		return Change{}, false
	}
	if c.Kind != Anything {
		if len(rest) < digits {
			return Change{}, false
		}
		if n, err := hex.Decode(c.Hash[:], []byte(rest[:digits])); err != nil || n != len(c.Hash) {
			return Change{}, false
		}
		rest = rest[digits:]
	}
	rest, timed := strings.CutPrefix(rest, ":")
	if !timed {
		return c, rest == ""
	}
	ms, err := strconv.ParseInt(rest, 10, 64)
	c.Committed = time.UnixMilli(ms)
	return c, err == nil
}
