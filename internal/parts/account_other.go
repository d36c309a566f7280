//go:build !unix

package parts

import (
	"fmt"
	"os/exec"
)

// An Account is whom a program runs as: here always whoever runs this process.
type Account struct{}

// Unprivileged is missing on this system: a Guard needs a Unix shell.
func Unprivileged(string) (Account, error) {
	return Account{}, fmt.Errorf("%w: a Unix system", ErrMissing)
}

// Lend does nothing.
func (Account) Lend(*exec.Cmd) {}

// Give does nothing.
func (Account) Give(string) error { return nil }

func apart(*exec.Cmd) {}
