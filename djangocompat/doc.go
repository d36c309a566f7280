// Package djangocompat is what Django computes, in Go: signing, session data, the session auth hash, cookies,
// hosts, passwords, CSRF tokens, safe redirects. It does no input or output: package sessionstore reads and writes
// the tables.
//
// Start with [NewKeys], which holds SECRET_KEY, and [SessionCodec], which reads and writes what is in
// django_session. [Session] and [User] are what a consumer finds in its scope.
//
//	Python                     Go
//	None, bool, str            nil, bool, string
//	int                        int64, or *big.Int where it does not fit
//	float                      float64; NaN and the infinities too
//	list                       []any
//	dict                       map[string]any
//
// In a session that is a pickle the values are those of package pickle.
//
// A str that holds half a surrogate pair has that half in the Go string as the three bytes that UTF-8
// would have for it; such a string is not valid UTF-8, and is written back as it was.
//
// Everything that comes in is data from outside: it is verified before it is inflated, inflated into a
// bound, and never part of an error's text.
package djangocompat
