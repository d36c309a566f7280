package djangocompat

import (
	"math"
	"math/big"
	"time"

	"github.com/belleville/belleville/pickle"
)

// ExpirySettings are the settings that say how long a session lives. The zero ExpirySettings are Django's
// defaults.
type ExpirySettings struct {
	// CookieAge is SESSION_COOKIE_AGE. Default: two weeks.
	CookieAge time.Duration
	// ExpireAtBrowserClose is SESSION_EXPIRE_AT_BROWSER_CLOSE.
	ExpireAtBrowserClose bool
	// Location is TIME_ZONE, in which a date without a zone is read. Default: UTC.
	Location *time.Location
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func (c ExpirySettings) withDefaults() ExpirySettings {
	if c.CookieAge == 0 {
		c.CookieAge = 14 * 24 * time.Hour
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// ExpiryAge returns how long the session has to live from now; it is negative if its own date is past. A
// date in the session that cannot be read counts as none. Python: SessionBase.get_expiry_age.
func (s *Session) ExpiryAge(cfg ExpirySettings) time.Duration {
	cfg = cfg.withDefaults()
	date, age := s.data.expiry(cfg)
	if date.IsZero() {
		return age
	}
	age = date.Sub(cfg.Now())
	if whole := age.Truncate(time.Second); whole <= age { // to whole seconds, down
		return whole
	}
	return age.Truncate(time.Second) - time.Second
}

// ExpiryDate returns when the session ends. Python: SessionBase.get_expiry_date.
func (s *Session) ExpiryDate(cfg ExpirySettings) time.Time {
	cfg = cfg.withDefaults()
	date, age := s.data.expiry(cfg)
	if date.IsZero() {
		return cfg.Now().Add(age)
	}
	return date
}

// ExpiresAtBrowserClose reports whether the cookie should be gone when the browser closes.
// Python: SessionBase.get_expire_at_browser_close.
func (s *Session) ExpiresAtBrowserClose(cfg ExpirySettings) bool {
	v, _ := s.data.Get(ExpiryKey)
	if v == nil {
		return cfg.ExpireAtBrowserClose
	}
	age, ok := seconds(v)
	return ok && age == 0
}

// expiry returns the date at which the session ends, or how long it lives after it was last saved.
func (d SessionData) expiry(cfg ExpirySettings) (time.Time, time.Duration) {
	v, _ := d.Get(ExpiryKey)
	if t, ok := expiryTime(v, cfg.Location); ok {
		return t, 0
	}
	if age, ok := seconds(v); ok && age != 0 {
		return time.Time{}, age
	}
	return time.Time{}, cfg.CookieAge
}

// expiryTime reads a date, which is a text or in a pickle a datetime.
func expiryTime(v any, naive *time.Location) (time.Time, bool) {
	if text, ok := textOf(v); ok {
		return parseISO(text, naive)
	}
	if dt, ok := v.(pickle.DateTime); ok {
		t, err := dt.GoTime(naive)
		return t, err == nil
	}
	return time.Time{}, false
}

// seconds reads a number of seconds as Python's arithmetic would. One that a Duration cannot hold becomes
// the nearest that it can.
func seconds(v any) (time.Duration, bool) {
	var n float64
	switch v := v.(type) {
	case bool:
		if v {
			n = 1
		}
	case int64:
		if -math.MaxInt64/int64(time.Second) <= v && v <= math.MaxInt64/int64(time.Second) {
			return time.Duration(v) * time.Second, true
		}
		n = float64(v)
	case *big.Int:
		n, _ = new(big.Float).SetInt(v).Float64()
	case float64:
		n = v
	default:
		return 0, false
	}
	n = math.Round(n*1e6) * 1e3 // Python keeps microseconds
	switch {
	case math.IsNaN(n):
		return 0, false
	case n >= math.MaxInt64:
		return math.MaxInt64, true
	case n <= math.MinInt64:
		return math.MinInt64, true
	}
	return time.Duration(n), true
}

// SetExpiryAge lets the session end d after it was last saved. Python: SessionBase.set_expiry of a number.
func (s *Session) SetExpiryAge(d time.Duration) {
	if d%time.Second == 0 {
		s.Set(ExpiryKey, int64(d/time.Second))
		return
	}
	s.Set(ExpiryKey, d.Seconds())
}

// SetExpiryDate lets the session end at t. Python: SessionBase.set_expiry of a datetime.
func (s *Session) SetExpiryDate(t time.Time) {
	if s.data.IsPickled() { // Django before 4.1 knows no texts there
		s.Set(ExpiryKey, pickle.NewDateTime(t))
		return
	}
	s.Set(ExpiryKey, formatISO(t))
}

// SetExpiryAtBrowserClose lets the cookie end with the browser. Python: SessionBase.set_expiry(0).
func (s *Session) SetExpiryAtBrowserClose() { s.SetExpiryAge(0) }

// ResetExpiry lets the settings decide again. Python: SessionBase.set_expiry(None).
func (s *Session) ResetExpiry() { s.Delete(ExpiryKey) }
