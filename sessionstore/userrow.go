package sessionstore

import (
	"github.com/belleville/belleville/djangocompat"
)

// userFields are the columns that a user model may do without, in the order in which they are read after
// primary key, name and password.
var userFields = [...]string{
	"is_active", "is_staff", "is_superuser", "first_name", "last_name", "email", "last_login", "date_joined",
}

// userRow is a row of the user table. The password does not leave this package.
type userRow struct {
	user     *djangocompat.User // with the backend by which most log in; known.share puts the right one in
	password string
}

// userScanner reads rows of the user table.
type userScanner struct {
	pk                         pkValue
	username, password         textValue
	isActive, isStaff, isSuper boolValue
	firstName, lastName, email textValue
	lastLogin, dateJoined      timeValue
	extra                      []extraValue
	names                      []string
	dest                       []any
	everybodyActive            bool
	backend                    string
}

// scanner returns a userScanner for what readUser selects.
func (t *tables) scanner() *userScanner {
	s := &userScanner{
		pk:              pkValue{kind: t.pkKind},
		lastLogin:       timeValue{location: t.location},
		dateJoined:      timeValue{location: t.location},
		extra:           make([]extraValue, len(t.extra)),
		names:           t.extra,
		everybodyActive: t.columns[3] == "",
		backend:         t.backend,
	}
	s.dest = []any{
		&s.pk, &s.username, &s.password, &s.isActive, &s.isStaff, &s.isSuper,
		&s.firstName, &s.lastName, &s.email, &s.lastLogin, &s.dateJoined,
	}
	for i := range s.extra {
		s.dest = append(s.dest, &s.extra[i])
	}
	return s
}

// read returns the row that scan reads.
func (s *userScanner) read(scan func(dest ...any) error) (userRow, error) {
	if err := scan(s.dest...); err != nil {
		return userRow{}, err
	}
	u := &djangocompat.User{
		PK:          s.pk.pk,
		Username:    string(s.username),
		FirstName:   string(s.firstName),
		LastName:    string(s.lastName),
		Email:       string(s.email),
		IsActive:    bool(s.isActive) || s.everybodyActive,
		IsStaff:     bool(s.isStaff),
		IsSuperuser: bool(s.isSuper),
		LastLogin:   s.lastLogin.Time,
		DateJoined:  s.dateJoined.Time,
		Backend:     s.backend,
	}
	if len(s.names) > 0 {
		u.Extra = make(map[string]any, len(s.names))
		for i, name := range s.names {
			u.Extra[name] = s.extra[i].value
		}
	}
	return userRow{u, string(s.password)}, nil
}
