package config_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/config"
)

// frontSamples has a value for each key of what stands between clients and requests.
func frontSamples() map[string]sample {
	text := func(s string) sample { return sample{`"` + s + `"`, s} }
	bare := func(s string) sample { return sample{s, s} }
	return map[string]sample{
		"proxy_protocol":                bare("true"),
		"tls.certificate_file":          text("testdata/tls/a-cert.pem"),
		"tls.key_file":                  text("testdata/tls/a-key.pem"),
		"limits.message_rate_per_user":  bare("10"),
		"limits.message_burst_per_user": bare("20"),
		"limits.max_age":                text("24h"),
		"limits.tcp_user_timeout":       text("1m"),
		"limits.drain_code":             bare("1001"),
	}
}

// frontBase returns what those keys want beside them.
func frontBase(path string) []string {
	switch path {
	case "proxy_protocol":
		return []string{"BELLEVILLE_TRUSTED_PROXIES=10.0.0.0/8"}
	case "tls.certificate_file", "tls.key_file":
		return []string{"BELLEVILLE_TLS_CERTIFICATE_FILE=testdata/tls/a-cert.pem", "BELLEVILLE_TLS_KEY_FILE=testdata/tls/a-key.pem"}
	}
	return nil
}

func TestMistakesInFront(t *testing.T) {
	tls := func(certificate, key string) string {
		return good + "[tls]\ncertificate_file = \"testdata/tls/" + certificate + "\"\nkey_file = \"testdata/tls/" + key + "\"\n"
	}
	tests := []struct{ name, text, want string }{
		{"nobody is trusted", "proxy_protocol = true" + good, "proxy_protocol: there are no trusted_proxies, so nobody's header would be believed; name the networks of the proxies there, or take it out"},
		{"a certificate alone", good + "[tls]\ncertificate_file = \"a\"", "tls.key_file: it is missing, though there is a certificate; name the file of its private key"},
		{"a key alone", good + "[tls]\nkey_file = \"a\"", "tls.certificate_file: it is missing, though there is a key; name the certificate's file, or take tls.key_file out"},
		{"no certificate's file", tls("none.pem", "a-key.pem"), "tls.certificate_file: the file cannot be read: no such file or directory; make it readable for this program"},
		{"no key's file", tls("a-cert.pem", "none.pem"), "tls.key_file: the file cannot be read: no such file or directory; make it readable for this program"},
		{"a key in the certificate's place", tls("a-key.pem", "a-key.pem"), "tls.certificate_file: there is no certificate in the file; write it in PEM, as in -----BEGIN CERTIFICATE-----"},
		{"another one's key", tls("a-cert.pem", "b-key.pem"), "tls.key_file: the file holds no private key of the certificate; write the key that the certificate was made with, in PEM and without a password"},
		{"a code that is none for that", good + "[limits]\ndrain_code = 1000", "limits.drain_code: 1000 is no code for that; write 1001, 1012, 1013, or one of 3000 to 4999"},
		{"a code of 0", good + "[limits]\ndrain_code = 0", "limits.drain_code: 0 is no code for that; write 1001, 1012, 1013, or one of 3000 to 4999"},
		{"an age below 0", good + "[limits]\nmax_age = \"-1s\"", "limits.max_age: it is below 0; write a positive value, or take it out for the default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tt.text), nil)
			if err == nil || err.Error() != tt.want {
				t.Errorf("= %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAnExpiredCertificateIsWarnedOf(t *testing.T) {
	tests := []struct {
		name string
		left time.Duration
		want string
	}{
		{"one that is over", -time.Hour, "has expired"},
		{"one that is over soon", time.Hour, "in less than a week"},
		{"one that is not", 30 * 24 * time.Hour, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			certificate, key := issued(t, time.Now().Add(tt.left))
			c, err := config.Parse([]byte(good+"[tls]\ncertificate_file = \""+certificate+"\"\nkey_file = \""+key+"\"\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, line := range c.Warnings() {
				if strings.HasPrefix(line, "tls.") {
					got = line
				}
			}
			if (got != "") != (tt.want != "") || !strings.Contains(got, tt.want) {
				t.Errorf("warned %q, want %q", got, tt.want)
			}
		})
	}
}

// issued writes a certificate with an end, and its key.
func issued(t *testing.T, end time.Time) (certificate, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-48 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, b := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
