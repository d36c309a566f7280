// Package chaos breaks what Belleville stands on, and proves what its promises say of that: P1 (nothing twice), P2 (in
// order), P3 (no gap without being told) and P6 (a membership lives as long as its socket).
//
// Start with [Checker], which knows of each message who sent it, when, and whether it came. The tests are the rows of
// the table of faults; "make chaos" runs them in full, and prints a line with the figures of each.
package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/belleville/belleville/channellayer"
)

// Numbered returns the n-th message of a sender, from 0.
func Numbered(sender string, n int64) channellayer.Event {
	return channellayer.Event{"type": "numbered", "sender": sender, "n": n}
}

// Checker is the Receiver of one channel, which checks what arrives. Messages are those of [Numbered].
type Checker struct {
	mu      sync.Mutex // guards the fields below
	senders map[string]*progress
	gaps    int
	come    int
	doubled []string
	swapped []string
}

// progress is what came from one sender.
type progress struct {
	next    int64
	missing map[int64]bool // and whether a gap was announced at that place
	gaps    int            // of the Checker, when the last message came
}

// Sent is what a sender knows of its messages: how many it sent, and which of them its layer returned an error for.
type Sent struct {
	Count  int64
	Failed map[int64]bool
}

// mostNamed bounds the messages that are named.
const mostNamed = 20

// Receive implements channellayer.Receiver.
func (c *Checker) Receive(d *channellayer.Delivery, _ int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch d.Event.Type() {
	case channellayer.GapType:
		c.gaps++
	case "numbered":
		sender, _ := d.Event["sender"].(string)
		n, _ := d.Event["n"].(int64)
		c.cameLocked(sender, n)
	}
	return true
}

func (c *Checker) cameLocked(sender string, n int64) {
	if c.senders == nil {
		c.senders = make(map[string]*progress)
	}
	p := c.senders[sender]
	if p == nil {
		p = &progress{missing: make(map[int64]bool)}
		c.senders[sender] = p
	}
	switch {
	case n < p.next && !has(p.missing, n):
		c.doubled = name(c.doubled, sender, n)
		return
	case n < p.next:
		delete(p.missing, n)
		c.swapped = name(c.swapped, sender, n)
	}
	c.come++
	for m := p.next; m < n; m++ {
		p.missing[m] = p.gaps != c.gaps
	}
	p.next, p.gaps = max(p.next, n+1), c.gaps
}

func has(set map[int64]bool, n int64) bool {
	_, ok := set[n]
	return ok
}

// name appends the name of a message.
func name(list []string, sender string, n int64) []string {
	if len(list) == mostNamed {
		return list
	}
	return append(list, fmt.Sprintf("%s/%d", sender, n))
}

// A Verdict is what a Checker, or several of them, found.
type Verdict struct {
	Come, Lost, Gaps int
	// Doubled, Swapped and Silent name the first messages that came twice, came after a younger one of the same
	// sender, or are lost though no gap was announced.
	Doubled, Swapped, Silent []string
}

// Verdict returns what was found, where senders, by name, have sent that. A message whose sender was told that it failed
// is not lost if it did not come.
func (c *Checker) Verdict(sent map[string]Sent) Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := Verdict{
		Come: c.come, Gaps: c.gaps,
		Doubled: slices.Clone(c.doubled), Swapped: slices.Clone(c.swapped),
	}
	for _, sender := range slices.Sorted(maps.Keys(sent)) {
		p := c.senders[sender]
		if p == nil {
			p = new(progress)
		}
		for n := range sent[sender].Count {
			announced, missing := p.missing[n]
			if n >= p.next {
				announced, missing = p.gaps != c.gaps, true
			}
			if !missing || sent[sender].Failed[n] {
				continue
			}
			v.Lost++
			if !announced {
				v.Silent = name(v.Silent, sender, n)
			}
		}
	}
	return v
}

// Last returns the number of the last message of a sender that came, or -1.
func (c *Checker) Last(sender string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.senders[sender]; p != nil {
		return p.next - 1
	}
	return -1
}

// Gaps returns how many gaps were announced.
func (c *Checker) Gaps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gaps
}

// Add adds what another Checker found.
func (v *Verdict) Add(w Verdict) {
	v.Come, v.Lost, v.Gaps = v.Come+w.Come, v.Lost+w.Lost, v.Gaps+w.Gaps
	v.Doubled = append(v.Doubled, w.Doubled...)
	v.Swapped = append(v.Swapped, w.Swapped...)
	v.Silent = append(v.Silent, w.Silent...)
}

// Kept reports whether P1, P2 and P3 hold.
func (v Verdict) Kept() bool { return len(v.Doubled)+len(v.Swapped)+len(v.Silent) == 0 }

// String returns the verdict in a few words.
func (v Verdict) String() string {
	var text strings.Builder
	text.WriteString(fmt.Sprintf("%d came, %d lost, %d gaps announced", v.Come, v.Lost, v.Gaps))
	for _, wrong := range []struct {
		what string
		list []string
	}{{"came twice", v.Doubled}, {"out of order", v.Swapped}, {"lost in silence", v.Silent}} {
		if n := len(wrong.list); n > 0 {
			text.WriteString(fmt.Sprintf(", %s: %v", wrong.what, wrong.list[:min(n, 5)]))
		}
	}
	return text.String()
}
