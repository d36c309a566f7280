package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"
)

func TestServeOverTLS(t *testing.T) {
	folder, err := filepath.Abs("../../config/testdata/tls")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "b.sock")
	front := "listen = [\"127.0.0.1:0\", \"unix:" + socket + "\"]\nadmin_listen = \"127.0.0.1:0\"\n"
	s := serve(t, configuration(t, djangoDatabase(t), front, "[tls]\ncertificate_file = \""+folder+"/a-cert.pem\"\nkey_file = \""+folder+"/a-key.pem\"\n"))

	text, err := os.ReadFile(filepath.Join(folder, "a-cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // the certificate has no name but "a": it is compared as a whole
		VerifyConnection: func(c tls.ConnectionState) error {
			_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: known})
			return err
		},
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	ws, _, err := websocket.Dial(t.Context(), "wss://"+s.addr+"/ws/whoami/", &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"Origin": {testOrigin}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if _, got, err := ws.Read(t.Context()); err != nil || len(got) == 0 {
		t.Errorf("whoami over TLS: %q, %v", got, err)
	}
	r, err := client.Get("https://" + s.addr + "/none")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	if r.StatusCode != http.StatusNotFound {
		t.Errorf("a path of nobody's: status = %d, want 404", r.StatusCode)
	}
	if behind, status := s.open(t, s.listens[1], "/ws/echo/", testOrigin, ""); status != http.StatusSwitchingProtocols {
		t.Errorf("on the unix socket, which has no TLS: status = %d, want 101", status)
	} else {
		_ = behind.CloseNow()
	}
}
