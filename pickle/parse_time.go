package pickle

import (
	"math"
	"strings"
	"time"
)

// A moment is what ISO 8601 text says: a datetime, a date or a time, and perhaps an offset.
type moment struct {
	DateTime
	offset    time.Duration
	hasOffset bool
}

func (f fields) moment(kind string) (any, error) {
	text, ok := get[string](f, "value")
	if !ok {
		return nil, errTagged
	}
	m, ok := parseMoment(kind, text)
	if !ok {
		return nil, malformed("a date or time is wrong")
	}
	if fold, ok := get[int64](f, "fold"); ok {
		m.Fold = int(fold & 1)
	}
	if zone, ok := get[*Dict](f, "tz"); ok {
		var err error
		if m.Zone, err = parseZone(zone, m); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "date":
		return m.Date, nil
	case "time":
		return m.Time, nil
	}
	return m.DateTime, nil
}

func parseMoment(kind, text string) (m moment, ok bool) {
	if kind != "time" {
		if len(text) < 10 {
			return m, false
		}
		date, err := time.Parse("2006-01-02", text[:10])
		if err != nil || date.Year() < 1 {
			return m, false
		}
		m.Date = naiveDateTime(date).Date
		text = text[10:]
		if kind == "date" {
			return m, text == ""
		}
		if text, ok = strings.CutPrefix(text, "T"); !ok {
			return m, false
		}
	}
	clock := text
	if i := strings.IndexAny(text, "+-"); i >= 0 {
		clock = text[:i]
		m.hasOffset = true
		if m.offset, ok = parseClock(text[i+1:]); !ok {
			return m, false
		}
		if text[i] == '-' {
			m.offset = -m.offset
		}
	}
	sinceMidnight, ok := parseClock(clock)
	if !ok {
		return m, false
	}
	m.Time = naiveDateTime(time.Unix(0, 0).UTC().Add(sinceMidnight)).Time
	return m, true
}

// parseClock reads HH:MM, HH:MM:SS or HH:MM:SS.ffffff.
func parseClock(text string) (time.Duration, bool) {
	for _, layout := range []string{"15:04", "15:04:05", "15:04:05.000000"} {
		if len(text) != len(layout) {
			continue
		}
		t, err := time.Parse(layout, text)
		return t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), err == nil
	}
	return 0, false
}

// parseZone makes the zone that a JSON object describes, for the time at. Nil is no zone.
func parseZone(d *Dict, at moment) (Zone, error) {
	if d == nil {
		return nil, errTagged
	}
	var f fields
	for key, value := range d.All() {
		name, _ := key.(string)
		f = append(f, field{name, value})
	}
	kind, _ := get[string](f, "kind")
	switch kind {
	case "utc":
		return UTC{}, nil
	case "fixed":
		return f.fixedZone()
	case "zoneinfo":
		if key, ok := get[string](f, "key"); ok && len(key) <= maxZoneName {
			return ZoneInfo{Key: key}, nil
		}
	case "pytz_fixed":
		if seconds, ok := get[int64](f, "offset_seconds"); ok && seconds%60 == 0 && inRange(int(max(seconds, -seconds)), secondsPerDay) {
			return PytzFixed{Minutes: int(seconds / 60)}, nil
		}
	case "pytz":
		if name, ok := get[string](f, "zone"); ok && len(name) <= maxZoneName {
			return pytzZoneAt(name, at)
		}
	}
	return nil, malformed("a time zone is wrong")
}

func (f fields) fixedZone() (Zone, error) {
	seconds, ok := get[float64](f, "offset_seconds")
	if !ok || math.IsNaN(seconds) || math.Abs(seconds) >= secondsPerDay {
		return nil, malformed("a time zone is wrong")
	}
	name, _ := get[string](f, "name")
	offset := time.Duration(math.Round(seconds*microPerSecond)) * time.Microsecond
	return FixedZone{Offset: offset, Name: name}, nil
}

// pytzZoneAt is pytz's zone of that name with the offset that it has at a time. What pytz stores
// besides comes from the time zone database.
func pytzZoneAt(name string, at moment) (Zone, error) {
	if name == "UTC" {
		return PytzUTC{}, nil
	}
	if strings.HasPrefix(name, "Etc/") {
		return PytzZone{Zone: name}, nil
	}
	loc, ok := new(locations).load(name)
	if !ok || !at.hasOffset || at.Year == 0 {
		return nil, unsupported("a zone of pytz without its offset")
	}
	instant := at.wall().Add(-at.offset).In(loc)
	abbreviation, _ := instant.Zone()
	dst := 0
	if instant.IsDST() {
		dst = 3600
	}
	return PytzZone{Zone: name, Varies: true, Offset: int(at.offset / time.Second), DST: dst, Name: abbreviation}, nil
}
