package consumers_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// pipes is a network in memory, so that net/http can serve where time is a test's own.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// web is a server of one Application over HTTP, and its client.
type web struct {
	t      *testing.T
	pipes  *pipes
	client *http.Client

	// Set before the first request.
	app      consumers.Application
	layer    channellayer.Layer
	draining chan struct{}

	mu       sync.Mutex // guards the field below
	reported []error
}

// serveHTTP begins to serve an Application. All ends with the test.
func serveHTTP(t *testing.T, app consumers.Application, layer channellayer.Layer) *web {
	t.Helper()
	w := &web{t: t, pipes: newPipes(), app: app, layer: layer, draining: make(chan struct{})}
	transport := &http.Transport{DialContext: w.pipes.dial, DisableCompression: true}
	w.client = &http.Client{Transport: transport}
	server := &http.Server{Handler: w, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(w.pipes) // returns when it is closed
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
		<-time.After(time.Second) // net/http lingers for half of it where it has refused a body
	})
	return w
}

// ServeHTTP implements http.Handler, as a server does.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s := &consumers.Scope{
		Type: consumers.TypeHTTP, Method: r.Method, Path: r.URL.Path, Layer: w.layer, Draining: w.draining,
	}
	s.Set(consumers.ReporterKey{}, w)
	instance, err := w.app.Open(r.Context(), s)
	if err != nil {
		rw.WriteHeader(consumers.DenialOf(err).Status)
		return
	}
	instance.(*consumers.Exchange).ServeHTTP(rw, r)
}

// Report implements consumers.Reporter.
func (w *web) Report(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reported = append(w.reported, err)
}

// reports returns what was reported.
func (w *web) reports() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reported)
}

// wantReport fails the test unless want is the one thing that was reported; nil for nothing.
func (w *web) wantReport(want error) {
	w.t.Helper()
	got := w.reports()
	if want == nil && len(got) > 0 || want != nil && (len(got) != 1 || !errors.Is(got[0], want)) {
		w.t.Errorf("reported %v, want %v", got, want)
	}
}

// do makes a request, whose response the test closes.
func (w *web) do(ctx context.Context, method string, body io.Reader, header http.Header) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://site/", body)
	if err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return response
}

// whole makes a request and returns its status and its whole body.
func (w *web) whole(method string, body io.Reader) (int, string) {
	w.t.Helper()
	response := w.do(w.t.Context(), method, body, nil)
	defer func() { _ = response.Body.Close() }() // it was read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Errorf("read the body: %v", err)
	}
	return response.StatusCode, string(text)
}

// lines reads a response line by line.
func lines(response *http.Response) func() string {
	in := bufio.NewReader(response.Body)
	return func() string {
		line, err := in.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return line[:len(line)-1]
	}
}
