package main

import (
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is how much of the container's memory the garbage collector keeps to, in percent. The rest is
// the kernel's, for the sockets.
const memoryShare = 85

// limitMemory tells the garbage collector how much memory the container has, unless GOMEMLIMIT did.
func limitMemory(logger *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := containerMemory(os.DirFS("/sys/fs/cgroup")); limit > 0 {
		limit = limit / 100 * memoryShare
		debug.SetMemoryLimit(limit)
		logger.Info("memory limit of the container is kept to", slog.Int64("bytes", limit))
	}
}

// maxMemory is more than any machine has: version 1 of cgroups writes such a number for no limit.
const maxMemory = 1 << 50

// containerMemory returns the limit of the control group, in bytes, or 0 where there is none.
func containerMemory(groups fs.FS) int64 {
	for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		text, err := fs.ReadFile(groups, name)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && 0 < n && n < maxMemory {
			return n
		}
	}
	return 0
}
