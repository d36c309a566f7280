package bench

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// mark is the text by which a message is known again, whatever the site puts around it:
//
//	bench:RUN:SENDER:NUMBER:TIME;
//
// RUN tells runs apart, NUMBER counts from 1, TIME is when it was sent, in nanoseconds since 1970.
type mark struct {
	run    string
	sender int
	number int64
	sent   int64
}

// The bounds of a mark.
const (
	markBegins = "bench:"
	maxMark    = 96
	maxSenders = 64
)

// appendMark appends a mark, and what it takes to be so long.
func appendMark(dst []byte, m mark, size int) []byte {
	begin := len(dst)
	dst = append(append(dst, markBegins...), m.run...)
	dst = strconv.AppendInt(append(dst, ':'), int64(m.sender), 10)
	dst = strconv.AppendInt(append(dst, ':'), m.number, 10)
	dst = strconv.AppendInt(append(dst, ':'), m.sent, 10)
	dst = append(dst, ';')
	for len(dst)-begin < size {
		dst = append(dst, 'x')
	}
	return dst
}

// findMark returns the first mark in a message.
func findMark(message []byte) (m mark, found bool) {
	for {
		i := bytes.Index(message, []byte(markBegins))
		if i < 0 {
			return mark{}, false
		}
		message = message[i+len(markBegins):]
		end := bytes.IndexByte(message[:min(len(message), maxMark)], ';')
		if end < 0 {
			continue
		}
		if m, found = parseMark(string(message[:end])); found {
			return m, true
		}
	}
}

// parseMark parses what stands between a mark's beginning and its end.
func parseMark(text string) (m mark, ok bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 || parts[0] == "" {
		return mark{}, false
	}
	sender, err1 := strconv.ParseUint(parts[1], 10, 31)
	number, err2 := strconv.ParseUint(parts[2], 10, 63)
	sent, err3 := strconv.ParseUint(parts[3], 10, 63)
	if err1 != nil || err2 != nil || err3 != nil || number == 0 {
		return mark{}, false
	}
	return mark{parts[0], int(sender), int64(number), int64(sent)}, true
}

// marker makes the messages of a run.
type marker struct {
	run            string
	before, behind string // what stands around the mark
	size           int    // of the whole message
	began          time.Time
}

// now is the time as marks tell it: it begins with the clock's, and goes on evenly whatever is done to the clock.
func (k *marker) now() int64 { return k.at(time.Now()) }

// at is now for a time that was taken.
func (k *marker) at(t time.Time) int64 { return k.began.UnixNano() + int64(t.Sub(k.began)) }

// message returns a message.
func (k *marker) message(sender int, number, sent int64) []byte {
	b := append(make([]byte, 0, max(k.size, len(k.before)+maxMark+len(k.behind))), k.before...)
	b = appendMark(b, mark{k.run, sender, number, sent}, k.size-len(k.before)-len(k.behind))
	return append(b, k.behind...)
}
