package djangocompat

import (
	"strings"
	"time"
	"unicode/utf8"
)

// formatISO writes t in UTC as Python's datetime.isoformat does.
func formatISO(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05.000000-07:00")
}

// parseISO reads what Python's datetime.fromisoformat reads since 3.11: a calendar or week date, then one
// character of any kind and a time; digits in groups with or without separators; a zone, or loc. Stray
// digits that CPython overlooks are refused, and the fraction of a second that an offset may have is left
// out: isoformat writes neither for any real zone.
func parseISO(text string, loc *time.Location) (time.Time, bool) {
	p := isoParser{rest: text}
	year, month, day := p.date()
	var h, m, s, ns int
	if p.rest != "" {
		_, size := utf8.DecodeRuneInString(p.rest)
		p.rest = p.rest[size:]
		clock, zone := p.rest, ""
		if i := strings.IndexAny(p.rest, "Z+-"); i >= 0 {
			clock, zone = p.rest[:i], p.rest[i:]
		}
		h, m, s, ns = p.clock(clock)
		loc = p.zone(zone, loc)
	}
	p.require(h < 24 && m < 60 && s < 60)
	if p.bad {
		return time.Time{}, false
	}
	return time.Date(year, month, day, h, m, s, ns, loc), true
}

// isoParser takes a date off the front of rest. Once something is wrong, bad stays so.
type isoParser struct {
	rest string
	bad  bool
}

func (p *isoParser) require(ok bool) { p.bad = p.bad || !ok }

// digits takes n digits off.
func (p *isoParser) digits(n int) int {
	if len(p.rest) < n {
		p.bad = true
		return 0
	}
	v := 0
	for i := range n {
		c := p.rest[i]
		p.require('0' <= c && c <= '9')
		v = v*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return v
}

// skip takes prefix off if it is there.
func (p *isoParser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *isoParser) date() (int, time.Month, int) {
	year := p.digits(4)
	p.require(year > 0)
	dashes := p.skip("-")
	if p.skip("W") {
		return p.week(year, dashes)
	}
	month := time.Month(p.digits(2))
	p.require(p.skip("-") == dashes)
	day := p.digits(2)
	p.require(1 <= month && month <= 12 && 1 <= day && day <= daysIn(year, month))
	return year, month, day
}

func daysIn(year int, m time.Month) int {
	return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// week takes the week and the day off a date such as 2031-W06-1; the day may be missing.
func (p *isoParser) week(year int, dashes bool) (int, time.Month, int) {
	week, day := p.digits(2), 1
	if dashes {
		if p.skip("-") {
			day = p.digits(1)
		}
	} else if p.rest != "" && '0' <= p.rest[0] && p.rest[0] <= '9' {
		day = p.digits(1)
	}
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // is always in week 1
	monday := fourth.AddDate(0, 0, -int(fourth.Weekday()+6)%7)
	t := monday.AddDate(0, 0, (week-1)*7+day-1)
	y, _ := monday.AddDate(0, 0, (week-1)*7).ISOWeek()
	p.require(week >= 1 && y == year && 1 <= day && day <= 7)
	return t.Date()
}

// clock reads a time of day: hours, and as much more as there is.
func (p *isoParser) clock(text string) (h, m, s, ns int) {
	t := isoParser{rest: text}
	h = t.digits(2)
	if t.rest != "" {
		colons := t.skip(":")
		m = t.digits(2)
		if t.rest != "" && t.rest[0] != '.' && t.rest[0] != ',' {
			t.require(t.skip(":") == colons)
			s = t.digits(2)
			ns = t.fraction()
		}
	}
	p.require(!t.bad && t.rest == "")
	return h, m, s, ns
}

// fraction reads a fraction of a second; Python keeps six digits of it.
func (p *isoParser) fraction() int {
	if !p.skip(".") && !p.skip(",") {
		return 0
	}
	ns, unit := 0, int(100*time.Millisecond)
	p.require(p.rest != "")
	for p.rest != "" && !p.bad {
		ns += p.digits(1) * unit
		unit /= 10
	}
	return ns - ns%int(time.Microsecond)
}

// zone reads Z, or an offset from UTC; without one it is loc.
func (p *isoParser) zone(text string, loc *time.Location) *time.Location {
	switch {
	case text == "":
		return loc
	case text == "Z":
		return time.UTC
	case text[0] == 'Z':
		p.bad = true
		return loc
	}
	h, m, s, _ := p.clock(text[1:])
	p.require(h < 24 && m < 60 && s < 60)
	offset := h*3600 + m*60 + s
	if text[0] == '-' {
		offset = -offset
	}
	return time.FixedZone("", offset)
}
