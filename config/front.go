package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/belleville/belleville/server"
)

// TLS names the certificate of a site without a proxy.
type TLS struct {
	CertificateFile string `toml:"certificate_file"`
	KeyFile         string `toml:"key_file"`
}

// Certificate reads the certificate, nil where none is named.
func (c *Config) Certificate(logger *slog.Logger) (*server.Certificate, error) {
	if c.TLS.CertificateFile == "" {
		return nil, nil
	}
	return server.LoadCertificate(c.TLS.CertificateFile, c.TLS.KeyFile, logger)
}

// front checks what stands between clients and requests: proxies and TLS.
func (l *loader) front() {
	c := l.config
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 && !l.mistakes.has("trusted_proxies") {
		l.mistakes.add("proxy_protocol", "there are no trusted_proxies, so nobody's header would be believed", "name the networks of the proxies there, or take it out")
	}
	l.drainCode()
	l.certificate()
}

// drainCode checks the close code of a drain.
func (l *loader) drainCode() {
	const path = "limits.drain_code"
	switch n := l.config.Limits.DrainCode; {
	case l.mistakes.has(path), n == 0 && !l.wasGiven(path):
	case n == 1001, n == 1012, n == 1013, 3000 <= n && n <= 4999:
	default:
		l.mistakes.add(path, fmt.Sprintf("%d is no code for that", n), "write 1001, 1012, 1013, or one of 3000 to 4999")
	}
}

// certificate checks the files of TLS.
func (l *loader) certificate() {
	const certificatePath, keyPath = "tls.certificate_file", "tls.key_file"
	t := l.config.TLS
	switch {
	case t == TLS{} || l.mistakes.has("tls"):
		return
	case t.CertificateFile == "":
		l.mistakes.add(certificatePath, "it is missing, though there is a key", "name the certificate's file, or take tls.key_file out")
		return
	case t.KeyFile == "":
		l.mistakes.add(keyPath, "it is missing, though there is a certificate", "name the file of its private key")
		return
	}
	_, err := server.LoadCertificate(t.CertificateFile, t.KeyFile, nil)
	switch missing, ok := errors.AsType[*fs.PathError](err); {
	case err == nil:
	case ok:
		path := certificatePath
		if missing.Path == t.KeyFile {
			path = keyPath
		}
		l.mistakes.add(path, "the file cannot be read: "+missing.Err.Error(), "make it readable for this program")
	case errors.Is(err, server.ErrNoCertificate):
		l.mistakes.add(certificatePath, "there is no certificate in the file", "write it in PEM, as in -----BEGIN CERTIFICATE-----")
	case errors.Is(err, server.ErrNotItsKey):
		l.mistakes.add(keyPath, "the file holds no private key of the certificate", "write the key that the certificate was made with, in PEM and without a password")
	default:
		l.mistakes.add(certificatePath, "the files cannot be used", "write a certificate and its key in PEM")
	}
}

// soon is how long before its end a certificate is warned of.
const soon = 7 * 24 * time.Hour

// certificateWarning says that the certificate's time is over, or nearly, "" where it is not.
func (c *Config) certificateWarning() string {
	certificate, err := c.Certificate(nil)
	if err != nil || certificate == nil {
		return ""
	}
	switch left := time.Until(certificate.NotAfter()); {
	case left < 0:
		return "tls.certificate_file: the certificate has expired, so clients refuse it; renew it, it is read again by itself"
	case left < soon:
		return "tls.certificate_file: the certificate expires in less than a week; renew it, it is read again by itself"
	}
	return ""
}
