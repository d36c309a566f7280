package chaos

import (
	"fmt"
	"os"
	"testing"
)

// Full reports whether the rows are run as the tables of faults and threats have them, which is what "make chaos" does.
// Otherwise they are smaller.
func Full() bool { return os.Getenv("BELLEVILLE_CHAOS") == "full" }

// Size returns how large something is in the full rows, and in the small ones.
func Size[T any](inFull, small T) T {
	if Full() {
		return inFull
	}
	return small
}

// Holds says whether a limit was kept.
type Holds bool

// Row prints a line of the table, and fails the test unless ok. Id is that of the row, as in T02, what says what was
// done, and figure what was measured.
func Row(t testing.TB, ok Holds, id, what, figure, limit string) {
	t.Helper()
	verdict := "pass"
	if !ok {
		verdict = "FAIL"
		t.Errorf("%s: %s: %s, want %s", id, what, figure, limit)
	}
	fmt.Printf("%s %s | %s | %s | %s\n", id, verdict, what, figure, limit)
}
