//go:build !linux

package swapfile

// exchange swaps two files, both of which must be there.
func exchange(temp, path string) error { return rename(temp, path) }
