//go:build unix

package parts

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// An Account is whom a program runs as. The zero Account is the one this process runs as.
type Account struct {
	credential *syscall.Credential
}

// Unprivileged is the account for a program that refuses to run as root: this process's own, or, where that is
// root, the system user called name.
func Unprivileged(name string) (Account, error) {
	if os.Getuid() != 0 {
		return Account{}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, fmt.Errorf("%w: the system user %s, whom root would run this as", ErrMissing, name)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: %w", name, err)
	}
	return Account{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// Lend makes cmd, which has not started yet, run as the account.
func (a Account) Lend(cmd *exec.Cmd) {
	if a.credential == nil {
		return
	}
	attributes(cmd).Credential = a.credential
}

// Give makes the account the owner of a file or folder of this process.
func (a Account) Give(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// apart puts cmd into a process group of its own.
func apart(cmd *exec.Cmd) { attributes(cmd).Setpgid = true }

func attributes(cmd *exec.Cmd) *syscall.SysProcAttr {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	return cmd.SysProcAttr
}
