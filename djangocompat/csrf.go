package djangocompat

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// CSRFRules says by which Django's rules requests are checked.
type CSRFRules uint8

// The rules.
const (
	CSRFCurrent  CSRFRules = iota // since 4.0: the Origin counts, and trusted origins have a scheme
	CSRFBefore40                  // 3.2's: trusted origins are hosts, and only the Referer counts
)

// CSRFConfig says how requests are checked. The zero CSRFConfig is Django's default, for a site that answers
// for no host.
type CSRFConfig struct {
	// Rules are those of the site's Django. Default: CSRFCurrent.
	Rules CSRFRules
	// Hosts says which hosts the site answers for.
	Hosts HostSettings
	// TrustedOrigins is CSRF_TRUSTED_ORIGINS.
	TrustedOrigins []string
	// UseSessions is CSRF_USE_SESSIONS: the secret is in the session, under CSRFSessionKey, not in a cookie.
	UseSessions bool
	// CookieDomain is CSRF_COOKIE_DOMAIN, or SESSION_COOKIE_DOMAIN with UseSessions. Default: none.
	CookieDomain string
	// HeaderName is CSRF_HEADER_NAME, as a key of Django's META. Default: "HTTP_X_CSRFTOKEN".
	HeaderName string
}

// CSRFSessionKey is the key of a session under which the secret is. Python: CSRF_SESSION_KEY.
const CSRFSessionKey = "_csrftoken"

// ErrTrustedOrigin means that a trusted origin has no scheme, which Django since 4.0 wants.
var ErrTrustedOrigin = errors.New("djangocompat: trusted origin without a scheme")

// CSRF checks that a request that may change something was made by a page of the site. It may be used
// concurrently. Python: django.middleware.csrf.CsrfViewMiddleware.
type CSRF struct {
	cfg     CSRFConfig
	exact   []string            // trusted origins
	schemes map[string][]string // by scheme, patterns of trusted hosts
	hosts   []string            // patterns of trusted hosts, for a Referer
}

// NewCSRF makes a CSRF. It refuses trusted origins that are not in the form of the rules.
func NewCSRF(cfg CSRFConfig) (*CSRF, error) {
	if cfg.HeaderName == "" {
		cfg.HeaderName = "HTTP_X_CSRFTOKEN"
	}
	c := &CSRF{cfg: cfg, schemes: make(map[string][]string)}
	if cfg.Rules == CSRFBefore40 {
		c.hosts = cfg.TrustedOrigins
		return c, nil
	}
	for _, trusted := range cfg.TrustedOrigins {
		u, ok := parseURL(trusted)
		if !ok || u.scheme == "" || u.netloc == "" {
			return nil, fmt.Errorf("%w: %q", ErrTrustedOrigin, trusted)
		}
		host := strings.TrimLeft(u.netloc, "*")
		c.hosts = append(c.hosts, host)
		if strings.Contains(trusted, "*") {
			c.schemes[u.scheme] = append(c.schemes[u.scheme], host)
		} else {
			c.exact = append(c.exact, trusted)
		}
	}
	return c, nil
}

// Config returns the settings, with the defaults filled in.
func (c *CSRF) Config() CSRFConfig { return c.cfg }

// CSRFRequest is what there is to know of a request.
type CSRFRequest struct {
	Method string
	// Exempt says that the view is csrf_exempt.
	Exempt bool
	// Host says which host the request is for, and whether it came over TLS.
	Host HostRequest
	// Secret is the CSRF cookie or, with UseSessions, what the session has; nil if there is none.
	Secret *string
	// HeaderToken is the token in the header field, nil if there is none; FormToken is csrfmiddlewaretoken of
	// the form, which counts first.
	HeaderToken *string
	FormToken   string
	// Origin and Referer are the header fields, or nil.
	Origin, Referer *string
}

// CSRFSafe reports whether a method changes nothing, so that nothing is checked.
func CSRFSafe(method string) bool {
	switch strings.ToUpper(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// Check reports whether a request is to be served; a *CSRFError says why not.
// Python: CsrfViewMiddleware.process_view.
func (c *CSRF) Check(r CSRFRequest) error {
	if r.Exempt || CSRFSafe(r.Method) {
		return nil
	}
	if err := c.checkSource(r); err != nil {
		return err
	}
	if c.cfg.Rules == CSRFBefore40 {
		return c.checkTokenBefore40(r)
	}
	return c.checkToken(r)
}

// checkSource checks the page that the request comes from.
func (c *CSRF) checkSource(r CSRFRequest) error {
	if r.Origin != nil && c.cfg.Rules == CSRFCurrent {
		if !c.trusts(*r.Origin, r.Host) {
			return &CSRFError{CSRFBadOrigin, *r.Origin}
		}
		return nil
	}
	if r.Host.Secure {
		return c.checkReferer(r)
	}
	return nil
}

// trusts reports whether origin is the site's own, or a trusted one.
// Python: CsrfViewMiddleware._origin_verified.
func (c *CSRF) trusts(origin string, host HostRequest) bool {
	own := "http://"
	if host.Secure {
		own = "https://"
	}
	if name, err := RequestHost(host, c.cfg.Hosts); err == nil && origin == own+name || slices.Contains(c.exact, origin) {
		return true
	}
	u, ok := parseURL(origin)
	return ok && sameAsAny(u.netloc, c.schemes[u.scheme])
}

// sameAsAny reports whether host is the same as one of the patterns. Browsers write hosts in ASCII; there are
// other characters that some take for a slash.
func sameAsAny(host string, patterns []string) bool {
	if _, ok := lowerASCII(host); !ok {
		return false
	}
	return slices.ContainsFunc(patterns, func(p string) bool { return IsSameDomain(host, p) })
}

// checkReferer is for a request over TLS whose browser has sent no Origin.
// Python: CsrfViewMiddleware._check_referer.
func (c *CSRF) checkReferer(r CSRFRequest) error {
	if r.Referer == nil {
		return &CSRFError{CSRFNoReferer, ""}
	}
	u, ok := parseURL(*r.Referer)
	switch {
	case !ok || u.scheme == "" || u.netloc == "":
		return &CSRFError{CSRFMalformedReferer, ""}
	case u.scheme != "https":
		return &CSRFError{CSRFInsecureReferer, ""}
	case sameAsAny(u.netloc, c.hosts):
		return nil
	}
	good := c.cfg.CookieDomain
	if good == "" {
		good, _ = RequestHost(r.Host, c.cfg.Hosts) // "" if the host is not allowed, which nothing is the same as
	} else if port := r.Host.ServerPort; port != "" && port != "443" && port != "80" {
		good += ":" + port
	}
	if !IsSameDomain(u.netloc, good) {
		return &CSRFError{CSRFBadReferer, u.text()}
	}
	return nil
}

// checkToken compares the token with the secret. Python: CsrfViewMiddleware._check_token.
func (c *CSRF) checkToken(r CSRFRequest) error {
	if r.Secret == nil {
		return &CSRFError{CSRFNoCookie, ""}
	}
	if !c.cfg.UseSessions {
		switch csrfFormat(*r.Secret) {
		case csrfBadLength:
			return &CSRFError{CSRFCookieLength, ""}
		case csrfBadCharacters:
			return &CSRFError{CSRFCookieCharacters, ""}
		}
	}
	token, source := r.token()
	if source == "" {
		return &CSRFError{CSRFTokenMissing, ""}
	}
	if source == sourceHeader {
		source = "the '" + titledHeader(c.cfg.HeaderName) + "' HTTP header"
	}
	switch csrfFormat(token) {
	case csrfBadLength:
		return &CSRFError{CSRFTokenLength, source}
	case csrfBadCharacters:
		return &CSRFError{CSRFTokenCharacters, source}
	}
	if !equalTexts(unmasked(token), unmasked(*r.Secret)) {
		return &CSRFError{CSRFTokenIncorrect, source}
	}
	return nil
}

const (
	sourceForm   = "POST"
	sourceHeader = "header"
)

// token returns the token of a request and where it was; source is "" if there is none.
func (r CSRFRequest) token() (token, source string) {
	switch {
	case r.FormToken != "" && strings.EqualFold(r.Method, "POST"):
		return r.FormToken, sourceForm
	case r.HeaderToken != nil:
		return *r.HeaderToken, sourceHeader
	}
	return "", ""
}

// checkTokenBefore40 takes what is malformed for a token that nobody has; in a session there are masked ones only.
func (c *CSRF) checkTokenBefore40(r CSRFRequest) error {
	if r.Secret == nil {
		return &CSRFError{CSRFNoCookie, ""}
	}
	token, _ := r.token()
	secret, ok := *r.Secret, len(*r.Secret) == csrfTokenSize || !c.cfg.UseSessions
	if !ok || csrfFormat(token) != csrfGood || csrfFormat(secret) != csrfGood || !equalTexts(unmasked(token), unmasked(secret)) {
		return &CSRFError{CSRFBadToken, ""}
	}
	return nil
}

// csrfVerdict says whether a text can be a token or a secret.
type csrfVerdict uint8

const (
	csrfGood csrfVerdict = iota
	csrfBadLength
	csrfBadCharacters
)

// csrfFormat judges a text. Python: django.middleware.csrf._check_token_format.
func csrfFormat(s string) csrfVerdict {
	if n := utf8.RuneCountInString(s); n != csrfSecretSize && n != csrfTokenSize {
		return csrfBadLength
	}
	if !isCSRFText(s) {
		return csrfBadCharacters
	}
	return csrfGood
}

// unmasked returns the secret of a token, or what is no token as it is.
func unmasked(s string) string {
	if secret, ok := UnmaskCSRF(s); ok {
		return secret
	}
	return s
}

// titledHeader returns "X-Csrftoken" for "HTTP_X_CSRFTOKEN". Python: HttpHeaders.parse_header_name.
func titledHeader(name string) string {
	var b strings.Builder
	inWord := false
	for _, r := range strings.ToLower(strings.TrimPrefix(name, "HTTP_")) {
		isLetter := 'a' <= r && r <= 'z'
		switch {
		case r == '_':
			r = '-'
		case isLetter && !inWord:
			r += 'A' - 'a'
		}
		inWord = isLetter
		b.WriteRune(r)
	}
	return b.String()
}

// CSRFToken is what a page needs.
type CSRFToken struct {
	// Form is the value of csrfmiddlewaretoken, or of the header field.
	Form string
	// Store is what the cookie is to be, or the session to have, afterwards.
	Store string
}

// Token returns a token for a page. The secret is the CSRF cookie or what the session has, nil if there is none;
// where it is malformed there will be a new one. Python: django.middleware.csrf.get_token.
func (c *CSRF) Token(secret *string) CSRFToken {
	stored := NewCSRFSecret()
	if secret != nil && csrfFormat(*secret) == csrfGood {
		stored = *secret
	}
	t := CSRFToken{Form: MaskCSRF(unmasked(stored)), Store: unmasked(stored)}
	if c.cfg.Rules == CSRFBefore40 {
		t.Store = stored
		if len(stored) == csrfSecretSize {
			t.Store = MaskCSRF(stored)
		}
	}
	return t
}
