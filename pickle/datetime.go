package pickle

import "time"

// A Date is Python's datetime.date.
type Date struct {
	Year, Month, Day int
}

// A Time is Python's datetime.time.
type Time struct {
	Hour, Minute, Second, Microsecond int
	// Fold is 1 for the second of two equal wall-clock times, when clocks are set back.
	Fold int
	// Zone is nil for a naive time.
	Zone Zone
}

// A DateTime is Python's datetime.datetime.
type DateTime struct {
	Date
	Time
}

// A TimeDelta is Python's datetime.timedelta, normalized as Python does: Seconds and Microseconds are
// not negative and stay below a day and a second.
type TimeDelta struct {
	Days, Seconds, Microseconds int
}

const (
	secondsPerDay  = 24 * 60 * 60
	microPerSecond = 1_000_000
	maxDays        = 999_999_999 // datetime.timedelta.max.days
)

// NewDateTime makes an aware datetime, in UTC or with the fixed offset that t has. What t has below
// the microsecond is cut off.
func NewDateTime(t time.Time) DateTime {
	dt := naiveDateTime(t)
	if _, offset := t.Zone(); offset == 0 {
		dt.Zone = UTC{}
	} else {
		dt.Zone = FixedZone{Offset: time.Duration(offset) * time.Second}
	}
	return dt
}

func naiveDateTime(t time.Time) DateTime {
	return DateTime{
		Date{t.Year(), int(t.Month()), t.Day()},
		Time{Hour: t.Hour(), Minute: t.Minute(), Second: t.Second(), Microsecond: t.Nanosecond() / 1000},
	}
}

// wall is the datetime as if it were one in UTC.
func (dt DateTime) wall() time.Time {
	return time.Date(dt.Year, time.Month(dt.Month), dt.Day, dt.Hour, dt.Minute, dt.Second,
		dt.Microsecond*1000, time.UTC)
}

// NewTimeDelta makes a timedelta of any days, seconds and microseconds. It reports whether Python can
// hold it.
func NewTimeDelta(days, seconds, microseconds int) (TimeDelta, bool) {
	carry, micro := floorDiv(microseconds, microPerSecond)
	more, rest := floorDiv(seconds, secondsPerDay)
	extra, rest := floorDiv(rest+carry%secondsPerDay, secondsPerDay)
	if days > maxDays*2 || days < -maxDays*2 {
		return TimeDelta{}, false
	}
	days += more + carry/secondsPerDay + extra
	return TimeDelta{days, rest, micro}, -maxDays <= days && days <= maxDays
}

// floorDiv divides as Python does: the remainder is not negative.
func floorDiv(a, b int) (quotient, remainder int) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		quotient, remainder = quotient-1, remainder+b
	}
	return quotient, remainder
}

// Duration is the timedelta in Go, and whether Go can hold it.
func (td TimeDelta) Duration() (time.Duration, bool) {
	const most = 106_751 // days in the largest time.Duration, less one
	if td.Days < -most || td.Days > most {
		return 0, false
	}
	seconds := time.Duration(td.Days*secondsPerDay + td.Seconds)
	return seconds*time.Second + time.Duration(td.Microseconds)*time.Microsecond, true
}

// newTimeDeltaFrom makes the timedelta of a time.Duration; what it has below the microsecond is cut off.
func newTimeDeltaFrom(d time.Duration) TimeDelta {
	td, _ := NewTimeDelta(0, int(d/time.Second), int(d%time.Second/time.Microsecond))
	return td
}

func (d Date) valid() bool {
	if d.Year < 1 || d.Year > 9999 || d.Month < 1 || d.Month > 12 || d.Day < 1 {
		return false
	}
	return d.Day <= time.Date(d.Year, time.Month(d.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func (t Time) valid() bool {
	return inRange(t.Hour, 24) && inRange(t.Minute, 60) && inRange(t.Second, 60) &&
		inRange(t.Microsecond, microPerSecond) && inRange(t.Fold, 2)
}

func inRange(n, end int) bool { return 0 <= n && n < end }

// foldBit marks fold in the first byte of a packed time, or the month of a packed datetime.
const foldBit = 0x80

// unpackDate reads the four bytes that Python stores for a date.
func unpackDate(b Bytes) (Date, bool) {
	if len(b) != 4 {
		return Date{}, false
	}
	d := Date{int(b[0])<<8 | int(b[1]), int(b[2]), int(b[3])}
	return d, d.valid()
}

// unpackTime reads the six bytes that Python stores for a time.
func unpackTime(b Bytes) (Time, bool) {
	if len(b) != 6 {
		return Time{}, false
	}
	t := Time{
		Hour: int(b[0] &^ foldBit), Minute: int(b[1]), Second: int(b[2]),
		Microsecond: int(b[3])<<16 | int(b[4])<<8 | int(b[5]),
		Fold:        int(b[0] / foldBit),
	}
	return t, t.valid()
}

// unpackDateTime reads the ten bytes that Python stores for a datetime.
func unpackDateTime(b Bytes) (DateTime, bool) {
	if len(b) != 10 {
		return DateTime{}, false
	}
	d, dateOK := unpackDate(Bytes([]byte{b[0], b[1], b[2] &^ foldBit, b[3]}))
	t, timeOK := unpackTime(b[4:])
	plain := t.Fold == 0
	t.Fold = int(b[2] / foldBit)
	return DateTime{d, t}, dateOK && timeOK && plain
}

func (d Date) packed() Bytes {
	return Bytes([]byte{byte(d.Year >> 8), byte(d.Year), byte(d.Month), byte(d.Day)})
}

func (t Time) packed() Bytes {
	micro := t.Microsecond
	return Bytes([]byte{
		byte(t.Hour | t.Fold*foldBit), byte(t.Minute), byte(t.Second),
		byte(micro >> 16), byte(micro >> 8), byte(micro),
	})
}

func (dt DateTime) packed() Bytes {
	date := dt.Date
	date.Month |= dt.Fold * foldBit
	t := dt.Time
	t.Fold = 0
	return date.packed() + t.packed()
}
