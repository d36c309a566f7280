package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// failure is what went wrong with a connection, by its kind: they are counted, and there are few kinds.
type failure struct{ kind string }

// Error implements error.
func (f *failure) Error() string { return f.kind }

// dialFailure returns the kind of an error from connecting.
func dialFailure(err error) *failure {
	kinds := []struct {
		cause error
		kind  string
	}{
		{syscall.ECONNREFUSED, "connect: refused"},
		{syscall.EMFILE, "connect: no descriptor left, see ulimit -n"},
		{syscall.ENFILE, "connect: no descriptor left, see ulimit -n"},
		{syscall.EADDRNOTAVAIL, "connect: no local port left, see --sources"},
		{syscall.EAGAIN, "connect: the server's backlog is full"}, // what Linux says of a unix socket
		{syscall.ENOENT, "connect: there is no such socket"},
		{os.ErrPermission, "connect: not permitted"},
		{syscall.ECONNRESET, "connect: reset"},
		{context.DeadlineExceeded, "connect: timed out"},
		{os.ErrDeadlineExceeded, "connect: timed out"},
	}
	for _, k := range kinds {
		if errors.Is(err, k.cause) {
			return &failure{k.kind}
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return &failure{"connect: unknown host"}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &failure{"tls: the certificate is not trusted, see --insecure"}
	}
	return &failure{"connect: failed"}
}

// readFailure returns the kind of an error from a connection that stood; during says what went on.
func readFailure(err error, during string) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{during + ": timed out"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &failure{during + ": reset"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{during + ": ended without a close frame"}
	}
	return &failure{during + ": failed"}
}
