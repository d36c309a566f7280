package wstest

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/belleville/belleville/consumers"
)

// Request makes an HTTP request of an application and returns the whole response.
// Python: channels.testing.HttpCommunicator.
func Request(ctx context.Context, app consumers.Application, method, target string, body []byte, cfg Config) *http.Response {
	s := newScope(consumers.TypeHTTP, target, cfg)
	s.Method, s.Scheme = method, "http"
	w := httptest.NewRecorder()
	instance, err := app.Open(ctx, s)
	exchange, ok := instance.(*consumers.Exchange)
	if err == nil && !ok {
		err = consumers.ErrNoRoute
	}
	if err != nil {
		d := consumers.DenialOf(err)
		for name, values := range d.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(d.Status)
		_, _ = w.Write(d.Body) // a recorder takes everything
		return w.Result()
	}
	r := (&http.Request{
		Method: method, URL: &url.URL{Path: s.Path, RawQuery: s.Query}, RequestURI: target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: cfg.Header.Clone(), Host: cfg.Header.Get("Host"),
	}).WithContext(ctx)
	r.Body = http.NoBody
	if len(body) > 0 {
		r.Body = readCloser{bytes.NewReader(body)}
		r.ContentLength = int64(len(body))
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	exchange.ServeHTTP(w, r)
	return w.Result()
}

// readCloser is a body that is in memory.
type readCloser struct{ *bytes.Reader }

// Close implements io.Closer.
func (readCloser) Close() error { return nil }
