package wstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/belleville/belleville/consumers"
)

// Request makes an HTTP request of an application and returns the response, once it is whole. That of an
// event stream ends with ctx. A response that the consumer broke off, by failing half-way, has a body that
// ends in [io.ErrUnexpectedEOF]. What the consumer failed with goes to Config.Reporter.
//
// Python: channels.testing.HttpCommunicator.
func Request(ctx context.Context, app consumers.Application, method, target string, body []byte, cfg Config) *http.Response {
	s := newScope(consumers.TypeHTTP, target, cfg)
	s.Method, s.Scheme = method, "http"
	if cfg.Reporter != nil {
		s.Set(consumers.ReporterKey{}, cfg.Reporter)
	}
	w := httptest.NewRecorder()
	instance, err := app.Open(ctx, s)
	exchange, ok := instance.(*consumers.Exchange)
	if err == nil && !ok {
		err = &consumers.Denial{Status: http.StatusUpgradeRequired}
	}
	if err != nil {
		deny(w, consumers.DenialOf(err))
		return w.Result()
	}
	r := (&http.Request{
		Method: method, URL: &url.URL{Path: s.Path, RawPath: s.RawPath, RawQuery: s.Query}, RequestURI: target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: cfg.Header.Clone(), Host: cfg.Header.Get("Host"),
		Body: http.NoBody, ContentLength: int64(len(body)),
	}).WithContext(ctx)
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	broken := serve(exchange, w, r)
	response := w.Result()
	if broken {
		response.Body = io.NopCloser(io.MultiReader(response.Body, brokenOff{}))
	}
	return response
}

// deny answers as a server does.
func deny(w *httptest.ResponseRecorder, d *consumers.Denial) {
	for name, values := range d.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	body, status := d.Body, statusOf(d)
	if body == nil {
		body = []byte(http.StatusText(status) + "\n")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a recorder takes everything
}

// statusOf returns the status of a denial, which is never a success.
func statusOf(d *consumers.Denial) int {
	if d.Status < 400 || d.Status > 599 {
		return http.StatusForbidden
	}
	return d.Status
}

// serve runs the consumer, and reports whether it broke the response off, which it tells net/http by a panic.
func serve(e *consumers.Exchange, w http.ResponseWriter, r *http.Request) (broken bool) {
	defer func() {
		v := recover()
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			broken = true
			return
		}
		if v != nil {
			panic(v)
		}
	}()
	e.ServeHTTP(w, r)
	return false
}

// brokenOff is the end of a body that is not whole.
type brokenOff struct{}

// Read implements io.Reader.
func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
