package djangocompat

import "time"

// Cookie is what a Set-Cookie header says.
type Cookie struct {
	Name     string
	Value    string
	Domain   string
	Path     string
	Expires  time.Time // left out if zero
	MaxAge   *int64    // seconds; left out if nil
	HTTPOnly bool
	SameSite string
	Secure   bool
}

// String returns the value of the Set-Cookie header as Python's http.cookies writes it.
func (c Cookie) String() string { return "" }
