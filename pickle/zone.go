package pickle

import (
	"errors"
	"fmt"
	"time"
)

// A Zone is a Python tzinfo object: UTC, FixedZone, ZoneInfo, PytzUTC, PytzZone, PytzFixed, or an
// *Object of a class that this package does not know.
type Zone interface {
	zone()
}

// UTC is Python's datetime.timezone.utc.
type UTC struct{}

// A FixedZone is Python's datetime.timezone with an offset of less than a day either way, in whole
// microseconds.
type FixedZone struct {
	Offset time.Duration
	// Name is empty where Python makes the name from the offset.
	Name string
}

// A ZoneInfo is Python's zoneinfo.ZoneInfo.
type ZoneInfo struct {
	Key string
	// Uncached says that it was made with ZoneInfo.no_cache.
	Uncached bool
}

// PytzUTC is pytz.UTC.
type PytzUTC struct{}

// A PytzZone is a zone of pytz.
type PytzZone struct {
	Zone string
	// Varies says that the zone has more than one offset, and that this is the one of the fields below.
	Varies      bool
	Offset, DST int // seconds
	Name        string
}

// A PytzFixed is pytz.FixedOffset.
type PytzFixed struct {
	Minutes int
}

func (UTC) zone()       {}
func (FixedZone) zone() {}
func (ZoneInfo) zone()  {}
func (PytzUTC) zone()   {}
func (PytzZone) zone()  {}
func (PytzFixed) zone() {}
func (*Object) zone()   {}

// errUnknownZone means that the zone is no known one, or is not in the system's time zone database.
var errUnknownZone = errors.New("pickle: unknown time zone")

// GoTime is the instant of an aware datetime. A naive one is taken to be in naive. It fails where the
// zone is an *Object or is not in the time zone database.
func (dt DateTime) GoTime(naive *time.Location) (time.Time, error) {
	offset, err := time.Duration(0), error(nil)
	if dt.Zone == nil {
		offset = locationOffset(naive, dt)
	} else {
		offset, err = zoneOffset(dt, new(locations))
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("datetime: %w", err)
	}
	return dt.wall().Add(-offset), nil
}

// fixedOffset is the offset of a zone that says it by itself.
func fixedOffset(z Zone) (time.Duration, bool) {
	switch z := z.(type) {
	case UTC, PytzUTC:
		return 0, true
	case FixedZone:
		return z.Offset, true
	case PytzFixed:
		return time.Duration(z.Minutes) * time.Minute, true
	case PytzZone:
		return time.Duration(z.Offset) * time.Second, z.Varies
	}
	return 0, false
}

// zoneOffset is what an aware datetime is ahead of UTC.
func zoneOffset(dt DateTime, known *locations) (time.Duration, error) {
	if offset, ok := fixedOffset(dt.Zone); ok {
		return offset, nil
	}
	name := ""
	switch z := dt.Zone.(type) {
	case ZoneInfo:
		name = z.Key
	case PytzZone:
		name = z.Zone
	}
	loc, ok := known.load(name)
	if !ok {
		return 0, errUnknownZone
	}
	return locationOffset(loc, dt), nil
}

// locationOffset is the offset of loc at the wall-clock time of dt, by PEP 495: of two the one that
// Fold says, and in a gap the one before it for fold 0.
func locationOffset(loc *time.Location, dt DateTime) time.Duration {
	wall := dt.wall()
	before, after := offsetAt(loc, wall.Add(-24*time.Hour)), offsetAt(loc, wall.Add(24*time.Hour))
	candidates := [2]time.Duration{before, after}
	if dt.Fold == 1 {
		candidates = [2]time.Duration{after, before}
	}
	for _, offset := range candidates {
		if offsetAt(loc, wall.Add(-offset)) == offset {
			return offset
		}
	}
	return candidates[0] // in a gap
}

func offsetAt(loc *time.Location, t time.Time) time.Duration {
	_, offset := t.In(loc).Zone()
	return time.Duration(offset) * time.Second
}

// locations keeps the zones that were looked up for one value. Names come from outside, and each new
// one is a file to look for: there are at most maxLocations.
type locations struct {
	byName map[string]*time.Location
}

const maxLocations = 32

func (l *locations) load(name string) (*time.Location, bool) {
	if loc, ok := l.byName[name]; ok {
		return loc, loc != nil
	}
	if name == "" || name == "Local" || len(l.byName) == maxLocations {
		return nil, false
	}
	if l.byName == nil {
		l.byName = make(map[string]*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		loc = nil
	}
	l.byName[name] = loc
	return loc, loc != nil
}

// canonicalDateTime is the key of a datetime. Aware ones with the same instant are equal where their
// zone says its offset; in zones that need the database they are equal where the wall clock is.
func canonicalDateTime(dt DateTime) any {
	dt.Fold = 0
	if offset, ok := fixedOffset(dt.Zone); ok {
		return instantKey(dt.wall().Add(-offset).UnixMicro())
	}
	return dt
}

func canonicalTime(t Time) any {
	t.Fold = 0
	if offset, ok := fixedOffset(t.Zone); ok {
		clock := time.Duration((t.Hour*60+t.Minute)*60+t.Second)*time.Second +
			time.Duration(t.Microsecond)*time.Microsecond
		return aliasKey{"aware time", clock - offset}
	}
	return t
}

// canonicalZone is the key of a tzinfo: datetime.timezone compares by offset only.
func canonicalZone(z any) any {
	switch z := z.(type) {
	case UTC:
		return FixedZone{}
	case FixedZone:
		return FixedZone{Offset: z.Offset}
	}
	return z
}
