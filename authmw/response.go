package authmw

import (
	"context"
	"errors"
	"net/http"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// visit is the session of one HTTP request, on its way back to the browser.
type visit struct {
	recogniser *recogniser
	session    *djangocompat.Session
	cookie     string // as it came
	came       bool
}

// respond returns an Instance whose response carries the session cookie of s.
func (r *recogniser) respond(ctx context.Context, s *consumers.Scope, inner consumers.Instance) (consumers.Instance, error) {
	handler, ok := inner.(http.Handler)
	if !ok {
		return inner, nil
	}
	v := &visit{recogniser: r, session: s.Session}
	v.cookie, v.came = s.Cookies[r.cfg.CookieName]
	return consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		sw := &sessionWriter{ResponseWriter: w, visit: v, scope: s, ctx: context.WithoutCancel(hr.Context())}
		handler.ServeHTTP(sw, hr)
		_ = sw.begin(http.StatusOK) // nothing was written, then
	})).Open(ctx, s)
}

// finish saves the session for a response of a status, and returns the Set-Cookie header; "" for none. What was
// not saved because of an error of the server's own is not there for the browser either, but a session that has
// moved to a new key is, since the old one is gone.
// Python: SessionMiddleware.process_response.
func (v *visit) finish(ctx context.Context, status int) (string, error) {
	s, cfg := v.session, v.recogniser.cfg
	if s.IsEmpty() {
		if v.came && (s.Accessed() || !djangocompat.PlausibleSessionKey(v.cookie)) {
			return cfg.deleteCookie()
		}
		return "", nil
	}
	moved := s.Key() != "" && s.Key() != v.cookie
	switch {
	case status >= http.StatusInternalServerError:
	case s.Modified() || cfg.SaveEveryRequest:
		if err := s.Save(ctx); err != nil {
			return "", err
		}
		moved = true
	}
	if !moved {
		return "", nil
	}
	return cfg.setCookie(s)
}

// sessionWriter saves the session when the response begins, and sends its cookie.
type sessionWriter struct {
	http.ResponseWriter
	visit *visit
	scope *consumers.Scope
	ctx   context.Context // of the save: it outlives the client
	begun bool
	err   error // why the response is another one
}

// Unwrap returns the writer inside, for http.ResponseController.
func (w *sessionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// errNotSaved is what a handler gets whose response was replaced.
var errNotSaved = errors.New("authmw: session not saved, so the response is another one")

// begin saves the session and completes the header, once. After an error the client has been answered.
func (w *sessionWriter) begin(status int) error {
	if w.begun {
		return w.err
	}
	w.begun = true
	h := w.Header()
	cookie, err := w.visit.finish(w.ctx, status)
	if err != nil {
		w.err = errNotSaved
		clear(h)
		varyOnCookie(h)
		deny(w.ResponseWriter, consumers.DenialOf(w.refusal(err)))
		return w.err
	}
	if cookie != "" && !w.visit.recogniser.cfg.sets(h) {
		h.Add("Set-Cookie", cookie)
	}
	if cookie != "" || w.visit.session.Accessed() {
		varyOnCookie(h)
	}
	keepPrivate(h)
	return nil
}

// refusal is the answer to a client whose session could not be saved. Django: SessionInterrupted is 400.
func (w *sessionWriter) refusal(err error) error {
	if errors.Is(err, djangocompat.ErrSessionGone) {
		return &consumers.Denial{
			Status: http.StatusBadRequest,
			Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
			Body:   []byte("The session was deleted before the request completed, as by a logout.\n"),
		}
	}
	err = w.visit.recogniser.refusal(err)
	if reporter, ok := w.scope.Value(consumers.ReporterKey{}).(consumers.Reporter); ok && !errors.Is(err, consumers.ErrDenied) {
		reporter.Report(err)
	}
	return err
}

// WriteHeader implements http.ResponseWriter.
func (w *sessionWriter) WriteHeader(status int) {
	if status < http.StatusOK || w.begin(status) == nil {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *sessionWriter) Write(b []byte) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls.
func (w *sessionWriter) FlushError() error {
	if err := w.begin(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// varied is a refusal that depends on the visitor's cookie, so that no cache gives it to others.
type varied struct {
	error
	denial *consumers.Denial
}

// Unwrap returns both, the answer first.
func (v varied) Unwrap() []error { return []error{v.denial, v.error} }

// vary makes a refusal depend on the cookie. An error of the server's own stays what it is, for nobody keeps it,
// and so does a path without a route: an outer router goes on with it, and it is nobody's.
func vary(err error) error {
	d := *consumers.DenialOf(err)
	if d.Status == http.StatusInternalServerError || errors.Is(err, consumers.ErrNoRoute) {
		return err
	}
	d.Header = d.Header.Clone()
	if d.Header == nil {
		d.Header = make(http.Header)
	}
	varyOnCookie(d.Header)
	return varied{err, &d}
}
