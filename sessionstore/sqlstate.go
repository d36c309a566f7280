package sessionstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgresError says what kind of trouble err is, and nothing of its text.
func postgresError(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*DatabaseError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &DatabaseError{Fault: sqlstateFault(e.Code), Code: e.Code}
	}
	switch {
	case ctx.Err() != nil, pgconn.Timeout(err):
		return &DatabaseError{Fault: FaultTimeout}
	default:
		return &DatabaseError{Fault: FaultConnection, Detail: connectDetail(err)}
	}
}

// connectDetail says in fixed words what keeps a connection from being made.
func connectDetail(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name of the host is not known"
	}
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case badCertificate:
		return "the certificate of the server is not trusted; see sslrootcert"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EACCES):
		return "the socket cannot be opened"
	case strings.Contains(err.Error(), "refused TLS"): // pgx has no error value for it
		return "the server has no TLS; see sslmode"
	default:
		return ""
	}
}

// acquireError is postgresError for a connection that could not be had. If there is none at all, the server
// does not answer, whatever it was that ended the waiting.
func (p *postgres) acquireError(ctx context.Context, err error) error {
	err = postgresError(ctx, err)
	stat := p.pool.Stat()
	if faultOf(err) == FaultTimeout && stat.AcquiredConns()+stat.IdleConns() == 0 {
		return &DatabaseError{Fault: FaultConnection}
	}
	return err
}

// adminShutdown is the SQLSTATE of a connection that pg_terminate_backend or a shutdown ends.
const adminShutdown = "57P01"

// sqlstateFault sorts the SQLSTATEs, by code or by class.
func sqlstateFault(code string) Fault {
	switch code {
	case adminShutdown, "57P02", "57P03", "57P05":
		return FaultShutdown
	case "57014":
		return FaultTimeout
	case "53300":
		return FaultFull
	case "55P03":
		return FaultLocked
	case "25006":
		return FaultReadOnly
	case "42P05", "26000", "0A000":
		return FaultPrepared
	case "42P01", "42703", "3F000":
		return FaultSchema
	case "42501":
		return FaultForbidden
	case "3D000":
		return FaultAuthorization
	}
	switch class := code[:min(2, len(code))]; class {
	case "08":
		return FaultConnection
	case "22":
		return FaultValue
	case "28":
		return FaultAuthorization
	case "40":
		return FaultConflict
	case "53":
		return FaultReadOnly // no disk, no memory
	default:
		return FaultOther
	}
}
