package parts

import (
	"fmt"
	"io"
	"os/exec"
)

// A Guard is a shell that waits until this process is gone, however it went, and then cleans up after it.
type Guard struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// NewGuard starts a guard that runs script as account when this process ends; "$1" and the following are args.
func NewGuard(account Account, script string, args ...string) (*Guard, error) {
	// A line is a dismissal. The end of input without one is the end of this process: the other end of the pipe
	// is in nobody else's hands, for Go marks it close-on-exec.
	script = "if read -r dismissed; then exit 0; fi\n" + script
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "guard"}, args...)...)
	cmd.Dir = "/"
	apart(cmd) // an interrupt from the keyboard is for the tests, not for who cleans up after them
	account.Lend(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	return &Guard{cmd: cmd, stdin: stdin}, nil
}

// Dismiss ends the guard without running its script, and waits for its end.
func (g *Guard) Dismiss() error {
	_, err := io.WriteString(g.stdin, "dismissed\n")
	if err != nil {
		err = fmt.Errorf("dismiss guard: %w", err)
	}
	if waited := g.cmd.Wait(); err == nil && waited != nil {
		err = fmt.Errorf("dismiss guard: %w", waited)
	}
	return err
}
