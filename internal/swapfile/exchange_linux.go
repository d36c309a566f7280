package swapfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange swaps two files, both of which must be there.
func exchange(temp, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // not every file system can
		return rename(temp, path)
	}
	return err
}
