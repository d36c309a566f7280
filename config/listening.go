package config

import (
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/belleville/belleville/server"
)

// Listener listens on one of the addresses of c.Listen.
func (c *Config) Listener(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		mode, _ := parseMode(c.UnixSocketMode) // it was checked
		return server.ListenUnix(path, mode)
	}
	return server.Listen(address)
}

// parseMode reads permissions in octal digits.
func parseMode(text string) (fs.FileMode, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 12)
	return fs.FileMode(n), err == nil && fs.FileMode(n)&^fs.ModePerm == 0
}

// socketMode checks the mode of sockets.
func (l *loader) socketMode() {
	const path = "unix_socket_mode"
	if _, ok := parseMode(l.config.UnixSocketMode); !ok && !l.mistakes.has(path) {
		l.mistakes.add(path, quote(l.config.UnixSocketMode)+" is no mode", `write it in octal digits, as in "0660"`)
	}
}
