package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/belleville/belleville/config"
)

// checkMachine checks what this machine allows: addresses, open files, memory.
func checkMachine(ctx context.Context, cfg *config.Config) findings {
	var found findings
	serving := isBelleville(ctx, cfg.AdminListen)
	for i, address := range cfg.Listen {
		what := "listen"
		if len(cfg.Listen) > 1 {
			what += "[" + strconv.Itoa(i) + "]"
		}
		found.address(what, address, serving)
	}
	if cfg.AdminListen != "" {
		found.address("admin_listen", cfg.AdminListen, serving)
	}
	if cfg.DebugListen != "" {
		found.address("debug_listen", cfg.DebugListen, serving)
	}
	if cfg.ControlSocket != "" {
		found.address("control_socket", "unix:"+cfg.ControlSocket, serving)
	}
	if cfg.TLS.CertificateFile != "" {
		found.certificate(cfg)
	}
	if limit := openFilesLimit(); limit > 0 {
		found.openFiles(limit, cfg)
	}
	if memory := machineMemory(os.DirFS("/")); memory > 0 {
		found.memory(memory, cfg.Limits)
	}
	return found
}

// address notes whether the server could listen on an address.
func (fs *findings) address(what, address string, serving answering) {
	switch state, problem := addressState(address); {
	case problem != "":
		fs.fail(what, problem, "name another address, or make this one possible")
	case state == addressFree:
		fs.ok(what, "the address is free")
	case state == addressInherited:
		fs.ok(what, "it is a socket that the service manager hands over")
	case bool(serving):
		fs.ok(what, "the address is in use, and a Belleville answers on admin_listen")
	default:
		fs.fail(what, "the address is in use by another program", "end that, or name another address")
	}
}

// certificate notes whether the certificate can be read.
func (fs *findings) certificate(cfg *config.Config) {
	if _, err := cfg.Certificate(slog.New(slog.DiscardHandler)); err != nil {
		fs.fail("tls", told(err), "see that tls.certificate_file and tls.key_file belong together, and that this user may read them")
		return
	}
	fs.ok("tls", "the certificate and its key can be read, and belong together")
}

// answering says whether a Belleville answers.
type answering bool

// isBelleville asks whoever listens on admin_listen who he is.
func isBelleville(ctx context.Context, address string) answering {
	if address == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	network, to := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, to = "unix", path
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/metrics", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	const enough = 1 << 20
	text, _ := io.ReadAll(io.LimitReader(response.Body, enough)) // what came will do
	return answering(bytes.Contains(text, []byte(metricsPrefix)))
}

// addressUse says who has an address.
type addressUse uint8

const (
	addressFree addressUse = iota
	addressTaken
	addressInherited
)

// addressState says who has an address, or why nobody can.
func addressState(address string) (state addressUse, problem string) {
	if strings.HasPrefix(address, "fd:") {
		return addressInherited, ""
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return socketState(path)
	}
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
		return addressFree, ""
	case errors.Is(err, syscall.EADDRINUSE):
		return addressTaken, ""
	case errors.Is(err, syscall.EACCES):
		return addressFree, "this user may not listen on the port"
	}
	return addressFree, "the address is none of this machine's"
}

// Who may make files in a folder. See access(2).
const mayWriteAndSearch = 0x2 | 0x1

// socketState is addressState for a unix socket.
func socketState(path string) (state addressUse, problem string) {
	if err := syscall.Access(filepath.Dir(path), mayWriteAndSearch); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return addressFree, "the folder of the socket does not exist"
		}
		return addressFree, "this user may make no file in the folder of the socket"
	}
	info, err := os.Lstat(path)
	if err != nil {
		return addressFree, ""
	}
	if info.Mode().Type() != fs.ModeSocket {
		return addressFree, "there is a file that is no socket"
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return addressFree, "" // what is left of a server is replaced
	}
	_ = c.Close()
	return addressTaken, ""
}

// connectionBytes is what an idle connection takes, without the kernel's share: see docs/performance.md.
const connectionBytes = 2600

// memory notes whether the memory holds the connections.
func (fs *findings) memory(bytes int64, limits config.Limits) {
	const mega = 1 << 20
	need := int64(limits.MaxConnections) * connectionBytes
	if need > bytes {
		fs.warn("limits.max_connections", fmt.Sprintf("%d idle connections take more than %d MiB, and there are %d", limits.MaxConnections, need/mega, bytes/mega), "lower it, or give the server more memory")
		return
	}
	fs.ok("memory", fmt.Sprintf("%d MiB", bytes/mega))
}

// machineMemory returns how much memory there is for this program, in bytes; 0 where that is not known.
func machineMemory(root fs.FS) int64 {
	groups, err := fs.Sub(root, "sys/fs/cgroup")
	if err == nil {
		if limit := containerMemory(groups); limit > 0 {
			return limit
		}
	}
	text, _ := fs.ReadFile(root, "proc/meminfo") // without one it is not known
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
