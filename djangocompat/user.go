package djangocompat

import "time"

// User is a row of the user table as it was when it was read. It is shared, so nobody changes it. The
// zero User, and nil, is Django's AnonymousUser. It holds no password.
type User struct {
	PK        PK
	Username  string
	FirstName string
	LastName  string
	Email     string

	IsActive    bool
	IsStaff     bool
	IsSuperuser bool

	LastLogin  time.Time // zero if never
	DateJoined time.Time

	// Backend is the dotted path of the authentication backend that logged the user in.
	Backend string

	// Extra holds further columns, where any are configured.
	Extra map[string]any
}

// IsAuthenticated reports whether this is a user, not a visitor. Python: request.user.is_authenticated.
func (u *User) IsAuthenticated() bool { return u != nil && !u.PK.IsZero() }

// IsAnonymous reports whether this is a visitor. Python: request.user.is_anonymous.
func (u *User) IsAnonymous() bool { return !u.IsAuthenticated() }
