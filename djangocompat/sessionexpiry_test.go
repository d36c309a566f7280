package djangocompat_test

import (
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

func TestSetExpiry(t *testing.T) {
	now := vectorTime
	lisbon := time.FixedZone("", 3600)
	tests := []struct {
		name  string
		set   func(*djangocompat.Session)
		raw   string // what is in _session_expiry; "" for nothing
		age   time.Duration
		close bool
	}{
		{"nothing: the settings decide", func(*djangocompat.Session) {}, "", time.Hour, true},
		{"seconds", func(s *djangocompat.Session) { s.SetExpiryAge(5 * time.Minute) }, "300", 5 * time.Minute, false},
		{"half seconds are a float", func(s *djangocompat.Session) { s.SetExpiryAge(1500 * time.Millisecond) }, "1.5", 1500 * time.Millisecond, false},
		{"at browser close", (*djangocompat.Session).SetExpiryAtBrowserClose, "0", time.Hour, true},
		{"a date is written in UTC", func(s *djangocompat.Session) { s.SetExpiryDate(now.Add(time.Minute).In(lisbon)) }, `"2024-04-05T19:35:38+00:00"`, time.Minute, false},
		{"a date has microseconds", func(s *djangocompat.Session) { s.SetExpiryDate(now.Add(1500*time.Microsecond + 7)) }, `"2024-04-05T19:34:38.001500+00:00"`, 0, false},
		{"a date in the past", func(s *djangocompat.Session) { s.SetExpiryDate(now.Add(-1500 * time.Millisecond)) }, `"2024-04-05T19:34:36.500000+00:00"`, -2 * time.Second, false},
		{"reset", func(s *djangocompat.Session) { s.SetExpiryAge(time.Second); s.ResetExpiry() }, "", time.Hour, true},
	}
	cfg := djangocompat.ExpirySettings{
		CookieAge:            time.Hour,
		ExpireAtBrowserClose: true,
		Now:                  func() time.Time { return now },
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s djangocompat.Session
			tt.set(&s)
			if raw, _ := s.Data().RawJSON(djangocompat.ExpiryKey); raw != tt.raw {
				t.Errorf("_session_expiry = %s, want %s", raw, tt.raw)
			}
			if got := s.ExpiryAge(cfg); got != tt.age {
				t.Errorf("ExpiryAge = %v, want %v", got, tt.age)
			}
			if got := s.ExpiresAtBrowserClose(cfg); got != tt.close {
				t.Errorf("ExpiresAtBrowserClose = %v, want %v", got, tt.close)
			}
		})
	}
}

func TestExpiryOfOddValues(t *testing.T) {
	const longest = time.Duration(1<<63 - 1)
	tests := []struct {
		name string
		raw  string
		age  time.Duration
	}{
		{"an int beyond all time", `1180591620717411303424`, longest},
		{"a negative one", `-1180591620717411303424`, -longest - 1},
		{"seconds beyond a Duration", `9223372037`, longest},
		{"Infinity", `Infinity`, longest},
		{"NaN", `NaN`, time.Hour},
		{"a list", `[1]`, time.Hour},
		{"an empty text", `""`, time.Hour},
		{"a date that is none", `"2023-02-29"`, time.Hour},
		{"a month that is none", `"2023-13-01"`, time.Hour},
		{"week 53 of a year that has 52", `"2021-W53"`, time.Hour},
		{"a leap second", `"2023-01-01T23:59:60"`, time.Hour},
		{"a fraction without digits", `"2023-01-01T23:59:59."`, time.Hour},
		{"a date without a zone is in the site's", `"2024-04-05T21:34:39"`, time.Second},
		{"a date without a time", `"2024-04-06"`, 2*time.Hour + 25*time.Minute + 22*time.Second},
		{"an offset with seconds", `"2024-04-05T20:34:39+00:59:59"`, 2 * time.Second},
	}
	cfg := djangocompat.ExpirySettings{
		CookieAge: time.Hour,
		Location:  time.FixedZone("", 7200),
		Now:       func() time.Time { return vectorTime },
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := djangocompat.NewSession("key", parse(t, `{"_session_expiry":`+tt.raw+`}`), nil)
			if got := s.ExpiryAge(cfg); got != tt.age {
				t.Errorf("ExpiryAge = %v, want %v", got, tt.age)
			}
			s.ExpiryDate(cfg) // whatever it is, it must not panic
		})
	}
}
