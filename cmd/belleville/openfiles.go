package main

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"github.com/belleville/belleville/config"
)

const (
	// otherFiles is how many descriptors are needed besides those of the connections.
	otherFiles = 256
	// fewFiles is a limit that holds no crowd.
	fewFiles = 4096
	// moreFiles says how to get more.
	moreFiles = "raise LimitNOFILE of the service, or ulimit -n"
)

// openFilesLimit returns how many descriptors this process may have, 0 where that is not known.
func openFilesLimit() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0
	}
	return int(min(files.Cur, 1<<30))
}

// checkOpenFiles returns an error where more connections are allowed than there can be descriptors: clients would then
// find a server that can accept nobody, instead of one that answers them 503.
func checkOpenFiles(limit int, cfg *config.Config) error {
	if tooMany := tooManyConnections(limit, cfg); limit > 0 && tooMany != "" {
		return errors.New("limits.max_connections: " + tooMany + "; lower it, or " + moreFiles)
	}
	return nil
}

// tooManyConnections says why the limit on open files does not hold the connections that the configuration names; it is
// empty where the limit does.
func tooManyConnections(limit int, cfg *config.Config) string {
	connections := cfg.Limits.MaxConnections
	switch places := len(cfg.Listen); {
	case connections <= 0 || connections <= (limit-otherFiles)/max(1, places):
		return ""
	case places > 1:
		return fmt.Sprintf("%d at each of %d addresses are more than %d open files allow", connections, places, limit)
	}
	return fmt.Sprintf("%d are more than %d open files allow", connections, limit)
}

// openFiles notes whether the limit on open files holds the connections.
func (fs *findings) openFiles(limit int, cfg *config.Config) {
	tooMany := tooManyConnections(limit, cfg)
	switch {
	case tooMany != "":
		fs.fail("limits.max_connections", tooMany, moreFiles)
	case limit < fewFiles:
		fs.warn("limit on open files", fmt.Sprintf("%d hold %d connections", limit, max(limit-otherFiles, limit/2)), moreFiles)
	default:
		fs.ok("limit on open files", strconv.Itoa(limit))
	}
}
