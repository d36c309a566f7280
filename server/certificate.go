package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A Certificate is a certificate and its private key in files in PEM. It is read again when the files change, so that
// one that was renewed is used from the next TLS handshake on; connections that are open stay as they are. Its methods
// may be called concurrently.
type Certificate struct {
	// Set at birth, never changed.
	certificateFile string
	keyFile         string
	logger          *slog.Logger

	mu     sync.Mutex // guards the fields below
	pair   *tls.Certificate
	stamps fileStamps
	looked time.Time
}

// fileStamps tell whether a certificate or its key was changed. One that is not there is nil.
type fileStamps [2]fs.FileInfo

// same reports whether nothing was changed in between: a file may be written anew, or another put in its place.
func (s fileStamps) same(other fileStamps) bool {
	for i, a := range s {
		b := other[i]
		if a == nil || b == nil {
			if a != b {
				return false
			}
			continue
		}
		if !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
			return false
		}
	}
	return true
}

// lookInterval is how long a changed file may go unnoticed.
const lookInterval = 5 * time.Second

var (
	// ErrNoCertificate means that a file holds no certificate in PEM.
	ErrNoCertificate = errors.New("server: no certificate in PEM")
	// ErrNotItsKey means that a file holds no private key in PEM, or one that does not belong to the certificate.
	ErrNotItsKey = errors.New("server: no private key of this certificate in PEM")
)

// LoadCertificate reads a certificate, with those that link it to an authority behind it, and its private key.
func LoadCertificate(certificateFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	if logger == nil {
		logger = slog.Default()
	}
	c := &Certificate{certificateFile: certificateFile, keyFile: keyFile, logger: logger}
	return c, c.Reload()
}

// Reload reads the files now. Where that fails what was read before stays in use.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reloadLocked()
}

// NotAfter returns the end of the certificate's time.
func (c *Certificate) NotAfter() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair == nil {
		return time.Time{}
	}
	return c.pair.Leaf.NotAfter
}

// TLS returns what a Config wants for its TLS.
func (c *Certificate) TLS() *tls.Config {
	return withTLSDefaults(&tls.Config{GetCertificate: c.certificate})
}

// certificate returns what is to be shown to a client.
func (c *Certificate) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookInterval {
		c.looked = now
		if stamps := c.stampFiles(); !stamps.same(c.stamps) {
			c.stamps = stamps // a pair that does not fit is told once
			if err := c.reloadLocked(); err != nil {
				c.logger.Error("the certificate has changed and cannot be used; the one before is", slog.String("error", err.Error()))
			} else {
				c.logger.Info("the certificate was read again", slog.Time("not_after", c.pair.Leaf.NotAfter))
			}
		}
	}
	return c.pair, nil
}

// stampFiles looks at the files, without reading them.
func (c *Certificate) stampFiles() (stamps fileStamps) {
	for i, name := range []string{c.certificateFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = info
		}
	}
	return stamps
}

// reloadLocked reads the files. The mutex is held since two readers might get halves of two pairs.
func (c *Certificate) reloadLocked() error {
	stamps := c.stampFiles()
	pair, err := readPair(c.certificateFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.stamps, c.looked = pair, stamps, time.Now()
	return nil
}

// maxPEM bounds what is read of a file, in bytes.
const maxPEM = 1 << 20

// readPair reads a certificate and its key. The error never holds what is in a file.
func readPair(certificateFile, keyFile string) (*tls.Certificate, error) {
	certificate, err := readBounded(certificateFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	key, err := readBounded(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(certificate) {
		return nil, ErrNoCertificate
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, ErrNotItsKey
	}
	return &pair, nil
}

// readBounded reads a file that is not too large.
func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPEM {
		return nil, fmt.Errorf("it is larger than %d bytes", maxPEM)
	}
	return os.ReadFile(name)
}
