package authmw

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// CSRFConfig says how CSRF keeps its secret. The zero CSRFConfig is Django's default.
type CSRFConfig struct {
	// CookieName is CSRF_COOKIE_NAME. Default: "csrftoken".
	CookieName string
	// CookiePath is CSRF_COOKIE_PATH. Default: "/".
	CookiePath string
	// CookieDomain is CSRF_COOKIE_DOMAIN. Default: none.
	CookieDomain string
	// CookieAge is CSRF_COOKIE_AGE; below zero the cookie goes with the browser. Default: 52 weeks.
	CookieAge time.Duration
	// CookieSameSite is CSRF_COOKIE_SAMESITE. Default: "Lax".
	CookieSameSite string
	// CookieSecure and CookieHTTPOnly are CSRF_COOKIE_SECURE and CSRF_COOKIE_HTTPONLY.
	CookieSecure, CookieHTTPOnly bool
	// MaxForm is the size in bytes of the largest form that is read for its token; a larger one is answered
	// 413. A request with the token in its header may be larger. Default: 2.5 MiB, Django's
	// DATA_UPLOAD_MAX_MEMORY_SIZE.
	MaxForm int64
	// FormTimeout is how long a client may take to send a form; a slower one is answered 408. Default: 30 s.
	FormTimeout time.Duration
	// Registerer takes the metrics. Default: none.
	Registerer prometheus.Registerer
}

func (c CSRFConfig) withDefaults() CSRFConfig {
	if c.CookieName == "" {
		c.CookieName = "csrftoken"
	}
	if c.CookiePath == "" {
		c.CookiePath = "/"
	}
	if c.CookieAge == 0 {
		c.CookieAge = 52 * 7 * 24 * time.Hour
	}
	if c.CookieSameSite == "" {
		c.CookieSameSite = "Lax"
	}
	if c.MaxForm <= 0 {
		c.MaxForm = 2621440
	}
	if c.FormTimeout <= 0 {
		c.FormTimeout = 30 * time.Second
	}
	return c
}

// ErrCSRFSession means that CSRF is to keep its secret in the session, and is not inside of Sessions.
var ErrCSRFSession = errors.New("authmw: CSRF with CSRF_USE_SESSIONS needs Sessions around it")

// CSRF wraps an Application: of HTTP requests that may change something, only those come through that a page of
// the site, or of a trusted origin, has made; others are answered 403. The token is looked for in the header
// first, and a form is read for it only where the header has none. Whatever is no HTTP request comes through:
// AllowedHosts is for WebSockets.
//
// A page gets its token from CSRFToken. An Application that is csrf_exempt is one that is not wrapped. CSRF panics
// where the cookie of cfg cannot be written.
//
// Python: django.middleware.csrf.CsrfViewMiddleware.
func CSRF(app consumers.Application, check *djangocompat.CSRF, cfg CSRFConfig) consumers.Application {
	g := csrfGuard{app, check, cfg.withDefaults(), newCSRFMetrics(cfg.Registerer)}
	if _, err := g.cookie("").Header(); err != nil {
		panic(fmt.Errorf("authmw: CSRF: %w", err))
	}
	return g
}

// csrfGuard is an Application inside CSRF.
type csrfGuard struct {
	app     consumers.Application
	check   *djangocompat.CSRF
	cfg     CSRFConfig
	metrics *csrfMetrics
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (g csrfGuard) Unwrap() consumers.Application { return g.app }

// Open implements consumers.Application. All that can be checked without the body is checked before anybody is
// looked up.
func (g csrfGuard) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if s.Type != consumers.TypeHTTP {
		return g.app.Open(ctx, s)
	}
	s = s.Clone()
	p, err := g.page(s)
	if err != nil {
		return nil, err
	}
	s.Set(csrfKey{}, p)
	r := g.request(s, p.stored)
	if r.HeaderToken != nil && *r.HeaderToken == "" {
		r.HeaderToken = nil
	}
	err = g.check.Check(r)
	inForm := mayBeInForm(r, err)
	if err != nil && !inForm {
		return nil, g.refusal(err)
	}
	instance, err := g.app.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	inner, ok := instance.(http.Handler)
	if !ok {
		return instance, nil
	}
	return consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		if inForm {
			if err := g.checkForm(w, hr, r); err != nil {
				deny(w, consumers.DenialOf(err))
				return
			}
		}
		cw := &csrfWriter{ResponseWriter: w, page: p}
		inner.ServeHTTP(cw, hr)
		cw.begin()
	})).Open(ctx, s)
}

// request describes the request of s, whose secret is stored.
func (g csrfGuard) request(s *consumers.Scope, stored *string) djangocompat.CSRFRequest {
	settings := g.check.Config()
	header := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(settings.HeaderName, "HTTP_")), "_", "-")
	r := djangocompat.CSRFRequest{
		Method:      s.Method,
		Secret:      stored,
		HeaderToken: field(s.Header, header),
		Origin:      field(s.Header, "origin"),
		Referer:     field(s.Header, "referer"),
		Host: djangocompat.HostRequest{
			Host:          field(s.Header, "host"),
			ForwardedHost: field(s.Header, "x-forwarded-host"),
			Secure:        s.Scheme == "https",
		},
	}
	if host, err := djangocompat.RequestHost(r.Host, settings.Hosts); err == nil {
		_, r.Host.ServerPort = djangocompat.SplitDomainPort(host) // "" is the scheme's own
	}
	return r
}

// field returns the values of a header field as one, as a WSGI server does, or nil.
func field(h consumers.Header, name string) *string {
	var values []string
	for v := range h.Values(name) {
		values = append(values, v)
	}
	if values == nil {
		return nil
	}
	text := latin1(strings.Join(values, ","))
	return &text
}

// refusal is the answer to a forgery.
func (g csrfGuard) refusal(err error) error {
	refused, ok := errors.AsType[*djangocompat.CSRFError](err)
	if !ok {
		return err
	}
	g.metrics.refused.WithLabelValues(refused.Reason.String()).Inc()
	return &consumers.Denial{
		Status: http.StatusForbidden,
		Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		Body:   []byte("CSRF verification failed: " + refused.Reason.String() + ".\n"),
	}
}

// cookie returns the cookie that holds secret.
func (g csrfGuard) cookie(secret string) djangocompat.Cookie {
	c := djangocompat.Cookie{
		Name: g.cfg.CookieName, Value: secret, Domain: g.cfg.CookieDomain, Path: g.cfg.CookiePath,
		SameSite: g.cfg.CookieSameSite, HTTPOnly: g.cfg.CookieHTTPOnly, Secure: g.cfg.CookieSecure,
	}
	if g.cfg.CookieAge > 0 {
		c = c.WithMaxAge(g.cfg.CookieAge, time.Now())
	}
	return c
}

// deny answers a request that was refused after its body was read.
func deny(w http.ResponseWriter, d *consumers.Denial) {
	maps.Copy(w.Header(), d.Header)
	body := d.Body
	if body == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte(http.StatusText(d.Status) + "\n")
	}
	w.WriteHeader(d.Status)
	_, _ = w.Write(body) // the client may be gone
}
