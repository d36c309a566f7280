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
	Anything                 // nobody knows what: something may have been missed
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

// parse reads the payload of a notification of a trigger: "s" or "u", the hash in hexadecimal, ":" and the time in
// milliseconds since 1970.
func parse(payload string) (Change, bool) {
	if len(payload) > maxPayload || len(payload) < 1+16 {
		return Change{}, false
	}
	var c Change
	switch payload[0] {
	case 's':
		c.Kind = Session
	case 'u':
		c.Kind = User
	default:
		return Change{}, false
	}
	if n, err := hex.Decode(c.Hash[:], []byte(payload[1:17])); err != nil || n != len(c.Hash) {
		return Change{}, false
	}
	rest, timed := strings.CutPrefix(payload[17:], ":")
	if !timed {
		return c, rest == ""
	}
	ms, err := strconv.ParseInt(rest, 10, 64)
	c.Committed = time.UnixMilli(ms)
	return c, err == nil
}
