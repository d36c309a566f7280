package djangocompat

// What Django keeps in a session while it finds out whether a browser takes cookies.
const (
	testCookieKey   = "testcookie"
	testCookieValue = "worked"
)

// SetTestCookie notes in the session that a cookie was sent, to find out with the next request whether the browser
// takes cookies. Python: SessionBase.set_test_cookie.
func (s *Session) SetTestCookie() { s.Set(testCookieKey, testCookieValue) }

// TestCookieWorked reports whether the browser has brought back the cookie of SetTestCookie.
// Python: SessionBase.test_cookie_worked.
func (s *Session) TestCookieWorked() bool {
	v, ok := s.GetString(testCookieKey)
	return ok && v == testCookieValue
}

// DeleteTestCookie removes the note. It need not be there. Python: SessionBase.delete_test_cookie.
func (s *Session) DeleteTestCookie() { s.Delete(testCookieKey) }
