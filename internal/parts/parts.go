// Package parts is for tests that run real programs, such as PostgreSQL or Django: it says what happens where
// a program is missing, and sees to it that what a test started ends with the test.
//
// Start with [Need] and [Start]. It installs nothing.
package parts

import (
	"errors"
	"os"
	"testing"
)

// ErrMissing means that a program, or a library of one, is not installed on this machine. Errors that wrap it
// say what to install.
var ErrMissing = errors.New("not installed")

// Need ends the test unless err is nil. A missing part skips the test on a developer's machine and fails it in
// CI, that is, where the environment variable CI is not empty; any other error always fails it.
func Need(t testing.TB, part string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") == "":
		t.Skipf("this test needs %s: %v", part, err)
	default:
		t.Fatalf("this test needs %s: %v", part, err)
	}
}
