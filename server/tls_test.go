package server_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// files are a certificate and its key, which sign themselves.
type files struct{ certificate, key string }

// newFiles returns names in a folder of the test's own.
func newFiles(t *testing.T) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// issue writes a certificate of this machine with a serial number.
func (f files) issue(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, f.certificate, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	f.write(t, f.key, &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func (f files) write(t *testing.T, name string, b *pem.Block) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// client returns the TLS of a client that knows the certificate.
func (f files) client(t *testing.T, protocols ...string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(f.certificate)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: protocols}
}

// serveTLS serves with a certificate, which it returns.
func serveTLS(t *testing.T, app consumers.Application, cfg server.Config) (*site, files, *server.Certificate) {
	t.Helper()
	f := newFiles(t)
	f.issue(t, 1)
	c, err := server.LoadCertificate(f.certificate, f.key, quiet())
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLS = c.TLS()
	return serve(t, app, cfg), f, c
}

func TestWebSocketsComeOverTLS(t *testing.T) {
	s, f, _ := serveTLS(t, tellers(), server.Config{})
	transport := &http.Transport{TLSClientConfig: f.client(t)}
	defer transport.CloseIdleConnections()
	ws, _, err := websocket.Dial(t.Context(), "wss://"+s.addr+"/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if _, got, err := ws.Read(t.Context()); !strings.HasPrefix(string(got), "wss from 127.0.0.1 ") || err != nil {
		t.Errorf("message = %q, %v", got, err)
	}
	large := strings.Repeat("0123456789abcdef", 1<<10)
	for range 20 {
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(large)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := ws.Read(t.Context()); string(got) != large || err != nil {
			t.Fatalf("%d bytes came back, %v", len(got), err)
		}
	}
	s.cancel()
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != 1012 {
		t.Errorf("the end is %v, want 1012", err)
	}
}

func TestPlainRequestsComeOverBothVersionsOfHTTP(t *testing.T) {
	reg := newRegistry()
	s, f, _ := serveTLS(t, tellers(), server.Config{Registerer: reg})
	for _, tt := range []struct {
		protocols []string
		want      string
	}{{[]string{"h2", "http/1.1"}, "HTTP/2.0"}, {[]string{"http/1.1"}, "HTTP/1.1"}, {nil, "HTTP/1.1"}} {
		transport := &http.Transport{TLSClientConfig: f.client(t, tt.protocols...), ForceAttemptHTTP2: len(tt.protocols) == 2}
		client := http.Client{Transport: transport}
		for range 3 {
			r, err := client.Get("https://" + s.addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if want := "https from 127.0.0.1 as  over " + tt.want; string(body) != want {
				t.Errorf("body = %q, want %q", body, want)
			}
		}
		if held := reg.value("server_connections"); held != 1 {
			t.Errorf("%v connections are counted, want 1", held)
		}
		transport.CloseIdleConnections()
		eventually(t, "its connection is gone", func() bool { return reg.value("server_connections") == 0 })
	}
}

// HTTP/2 has no fields that say what a connection could become; a client that meets one gives the answer up.
func TestAWebSocketAskedForOverHTTP2IsAnswered(t *testing.T) {
	s, f, _ := serveTLS(t, echoes(), server.Config{})
	transport := &http.Transport{TLSClientConfig: f.client(t, "h2"), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	r, err := client.Get("https://" + s.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusUpgradeRequired || r.ProtoMajor != 2 || r.Header["Upgrade"] != nil || r.Header["Connection"] != nil {
		t.Errorf("answer = %d over %s with %q, want 426 over HTTP/2.0 and neither Upgrade nor Connection", r.StatusCode, r.Proto, r.Header)
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	s, f, _ := serveTLS(t, tellers(), server.Config{})
	cfg := f.client(t)
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if c, err := tls.Dial("tcp", s.addr, cfg); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 was spoken")
	}
}

// What is no TLS, or does not go on, holds nobody up and is gone in time.
func TestTLSHandshakesEndInTime(t *testing.T) {
	reg := newRegistry()
	s, f, _ := serveTLS(t, tellers(), server.Config{Registerer: reg, HandshakeTimeout: 500 * time.Millisecond})
	for _, begin := range []string{"", "\x16\x03\x01\x02\x00", goodHead} {
		for range 5 {
			s.raw(t).say(begin)
		}
	}
	c, err := tls.Dial("tcp", s.addr, f.client(t)) // and one that says nothing behind it
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "all are gone", func() bool { return reg.value("server_connections") == 0 && s.heldBy(t, f) })
}

// heldBy reports whether a client gets in.
func (s *site) heldBy(t *testing.T, f files) bool {
	t.Helper()
	c, err := tls.Dial("tcp", s.addr, f.client(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &peer{t, c, bufio.NewReader(c)}
	p.say(goodHead)
	r, _ := p.answer()
	return r.StatusCode == http.StatusSwitchingProtocols
}

func TestADrainDoesNotWaitForTLSHandshakes(t *testing.T) {
	s, f, _ := serveTLS(t, tellers(), server.Config{HandshakeTimeout: time.Minute})
	s.heldBy(t, f)
	for range 5 {
		s.raw(t).say("\x16\x03\x01")
	}
	start := time.Now()
	s.cancel()
	err := <-s.done
	if took := time.Since(start); took > 5*time.Second || err != nil {
		t.Errorf("it took %v, %v", took, err)
	}
	s.done <- nil // for the end of the test
}

func TestAProxysHeaderComesBeforeTLS(t *testing.T) {
	s, f, _ := serveTLS(t, tellers(), behindProxies())
	for _, header := range []string{proxyV1, proxyV2} {
		p := s.raw(t)
		p.say(header)
		c := tls.Client(p.Conn, f.client(t))
		over := &peer{t, c, bufio.NewReader(c)}
		over.say(goodHead)
		over.answer()
		if _, got := over.read(); !strings.HasPrefix(got, "wss "+fromV1) {
			t.Errorf("message = %q", got)
		}
	}
	if c, err := tls.Dial("tcp", s.addr, f.client(t)); err == nil {
		_ = c.Close()
		t.Error("a proxy without a header was served")
	}
}

func TestACertificateIsReadAgain(t *testing.T) {
	s, f, c := serveTLS(t, tellers(), server.Config{})
	serial := func() int64 {
		nc, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	before, err := tls.Dial("tcp", s.addr, f.client(t))
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	p := &peer{t, before, bufio.NewReader(before)}
	p.say(goodHead)
	p.answer()
	p.read()

	f.issue(t, 2)
	if err := c.Reload(); err != nil || serial() != 2 {
		t.Errorf("the certificate is that of before, %v", err)
	}
	f.write(t, f.key, &pem.Block{Type: "PRIVATE KEY", Bytes: []byte("nonsense")})
	if err := c.Reload(); !errors.Is(err, server.ErrNotItsKey) || serial() != 2 {
		t.Errorf("a key that is none: %v, want ErrNotItsKey and the certificate of before", err)
	}
	p.say(frame(fText, "still here"))
	if _, got := p.read(); got != "still here" {
		t.Errorf("message = %q", got)
	}
}
