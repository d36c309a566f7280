package djangocompat

import "time"

// ExpirySettings are the settings that say how long a session lives.
type ExpirySettings struct {
	// CookieAge is SESSION_COOKIE_AGE. Default: two weeks.
	CookieAge time.Duration
	// ExpireAtBrowserClose is SESSION_EXPIRE_AT_BROWSER_CLOSE.
	ExpireAtBrowserClose bool
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// ExpiryAge returns how long the session has to live. Python: SessionBase.get_expiry_age.
func (s *Session) ExpiryAge(cfg ExpirySettings) time.Duration { return 0 }

// ExpiryDate returns when the session ends. Python: SessionBase.get_expiry_date.
func (s *Session) ExpiryDate(cfg ExpirySettings) time.Time { return time.Time{} }

// ExpiresAtBrowserClose reports whether the cookie should be gone when the browser closes.
// Python: SessionBase.get_expire_at_browser_close.
func (s *Session) ExpiresAtBrowserClose(cfg ExpirySettings) bool { return false }

// SetExpiryAge lets the session end d after it was last saved. Python: SessionBase.set_expiry(int).
func (s *Session) SetExpiryAge(d time.Duration) {}

// SetExpiryDate lets the session end at t. Python: SessionBase.set_expiry(datetime).
func (s *Session) SetExpiryDate(t time.Time) {}

// SetExpiryAtBrowserClose lets the cookie end with the browser. Python: SessionBase.set_expiry(0).
func (s *Session) SetExpiryAtBrowserClose() {}

// ResetExpiry lets the settings decide. Python: SessionBase.set_expiry(None).
func (s *Session) ResetExpiry() {}
