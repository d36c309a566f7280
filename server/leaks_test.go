package server_test

import (
	"os"
	"testing"
)

// descriptors returns how many files and sockets this process has open, -1 where the system does not say.
func descriptors() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(files) - 1 // without the folder itself
}

// wantDescriptors sees that no more are open than before. What is being closed may take a moment.
func wantDescriptors(t *testing.T, before int) {
	t.Helper()
	if t.Failed() || before < 0 {
		return
	}
	eventually(t, "no descriptor is left behind", func() bool { return descriptors() <= before })
}
