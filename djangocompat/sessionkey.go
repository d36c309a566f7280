package djangocompat

// NewSessionKey returns a session key that nobody can guess: 32 characters of a-z and 0-9.
func NewSessionKey() string { return "" }

// PlausibleSessionKey reports whether a session may be stored under key. Django looks up whatever has 8
// characters or more; a key that the column cannot hold need not be looked up.
func PlausibleSessionKey(key string) bool { return false }
