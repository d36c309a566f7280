//go:build unix

package swapfile

import (
	"os"
	"syscall"
	"time"
)

const (
	lockTries = 200
	lockPause = 5 * time.Millisecond
)

// lock keeps others who use this package out of a folder until unlock is called. It does not wait for ever: a
// folder for temporary files may be locked by anybody, and then nobody is kept out.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for range lockTries {
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			break
		}
		time.Sleep(lockPause)
	}
	return func() { _ = f.Close() }, nil
}
