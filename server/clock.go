package server

import "time"

// clock counts ticks, which are milliseconds since it was made. It is monotonic: nobody's setting of the
// time moves it.
type clock struct{ start time.Time }

// ticksInSecond is how many ticks a second has.
const ticksInSecond = 1000

// newClock starts a clock.
func newClock() clock { return clock{time.Now()} }

// now returns the tick.
func (c clock) now() int64 { return time.Since(c.start).Milliseconds() }

// ticks returns a duration in ticks.
func ticks(d time.Duration) int64 { return d.Milliseconds() }
