package authmw

import (
	"net/http"
	"sync"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// csrfKey is the key of a Scope's csrfPage.
type csrfKey struct{}

// csrfPage is the secret behind the tokens of one request.
type csrfPage struct {
	// Set at birth, never changed.
	guard   csrfGuard
	session *djangocompat.Session // nil unless the secret is in there
	stored  *string               // what came with the request

	// Shared with whoever asks for a token.
	mu      sync.Mutex // guards the fields below
	current *string
	used    bool // the cookie is to be sent
}

// page finds the secret of a request.
func (g csrfGuard) page(s *consumers.Scope) (*csrfPage, error) {
	p := &csrfPage{guard: g}
	if g.check.Config().UseSessions {
		if s.Session == nil {
			return nil, ErrCSRFSession
		}
		p.session = s.Session
		if secret, ok := s.Session.GetString(djangocompat.CSRFSessionKey); ok {
			p.stored = &secret
		}
	} else if secret, ok := djangocompat.CookieValue(cookieHeader(s.Header), g.cfg.CookieName); ok {
		p.stored = &secret
	}
	p.current = p.stored
	return p, nil
}

// CSRFToken returns a token for a page: the value of a form's csrfmiddlewaretoken, or of the header field that
// a script sends. It is another one each time, and all are good. The cookie goes with the response, so it must be
// asked for before that begins; with CSRF_USE_SESSIONS the secret goes into the Scope's session, for whoever
// saves that. It returns "" outside of CSRF. Python: django.middleware.csrf.get_token.
func CSRFToken(s *consumers.Scope) string {
	p, ok := s.Value(csrfKey{}).(*csrfPage)
	if !ok {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokenLocked()
}

// RotateCSRF changes the secret, as at login, so that no token from before is any good.
// Python: django.middleware.csrf.rotate_token.
func RotateCSRF(s *consumers.Scope) {
	p, ok := s.Value(csrfKey{}).(*csrfPage)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = nil
	p.tokenLocked()
}

func (p *csrfPage) tokenLocked() string {
	t := p.guard.check.Token(p.current)
	p.current, p.used = &t.Store, true
	if p.session != nil {
		if stored, ok := p.session.GetString(djangocompat.CSRFSessionKey); !ok || stored != t.Store {
			p.session.Set(djangocompat.CSRFSessionKey, t.Store)
		}
	}
	return t.Form
}

// cookie returns the Set-Cookie header of the response, or "".
func (p *csrfPage) cookie() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.used || p.session != nil {
		return ""
	}
	header, _ := p.guard.cookie(*p.current).Header() // CSRF has tried it
	return header
}

// csrfWriter sends the cookie with the response.
type csrfWriter struct {
	http.ResponseWriter
	page  *csrfPage
	begun bool
}

// Unwrap returns the writer inside, for http.ResponseController.
func (w *csrfWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin adds to the header what goes with the token, once.
func (w *csrfWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	cookie := w.page.cookie()
	if cookie == "" {
		return
	}
	h := w.Header()
	h.Add("Set-Cookie", cookie)
	varyOnCookie(h)
	keepPrivate(h)
}

// WriteHeader implements http.ResponseWriter.
func (w *csrfWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *csrfWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls.
func (w *csrfWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}
