package parts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// patience is how long a program may take to end by itself after SIGTERM.
const patience = 10 * time.Second

// A Process is a program that runs beside a test and ends with it.
type Process struct {
	cmd   *exec.Cmd
	guard *Guard

	// ended is closed when the program has ended.
	ended chan struct{}
}

// Start starts cmd as account. The caller ends it with Stop or Kill; should this process end first, however it does, the
// program is killed.
func Start(account Account, cmd *exec.Cmd) (*Process, error) {
	apart(cmd)
	account.Lend(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() { // Stop and Kill wait for its end
		_ = cmd.Wait() // ProcessState keeps how it ended
		close(p.ended)
	}()
	guard, err := NewGuard(account, `kill -KILL "$1"`, strconv.Itoa(p.Pid()))
	if err != nil {
		return nil, errors.Join(err, p.end(os.Kill))
	}
	p.guard = guard
	return p, nil
}

// Pid is the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Ended is closed once the program has ended, whether it was asked to or not.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop asks the program to end with SIGTERM, kills it where that does not help, and waits for its end. It is an
// error if the program had ended by itself before.
func (p *Process) Stop() error { return p.stop(syscall.SIGTERM) }

// Kill ends the program without asking, and waits for its end. It is an error if the program had ended by itself
// before.
func (p *Process) Kill() error { return p.stop(os.Kill) }

func (p *Process) stop(how os.Signal) error {
	var err error
	select {
	case <-p.ended:
		err = fmt.Errorf("%s had ended by itself: %s", p.cmd.Path, p.cmd.ProcessState)
	default:
		err = p.end(how)
	}
	return errors.Join(err, p.guard.Dismiss())
}

// end sends how to the program and waits for its end, patiently at first.
func (p *Process) end(how os.Signal) error {
	if err := p.cmd.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	impatience := time.NewTimer(patience)
	defer impatience.Stop()
	select {
	case <-p.ended:
		return nil
	case <-impatience.C:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.cmd.Path, err)
	}
	<-p.ended
	return fmt.Errorf("%s did not end within %v of SIGTERM and was killed", p.cmd.Path, patience)
}
