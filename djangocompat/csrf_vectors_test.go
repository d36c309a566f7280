package djangocompat_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

type csrfInput struct {
	Op       string            `json:"op"`
	Token    string            `json:"token"`
	Method   string            `json:"method"`
	Secure   bool              `json:"secure"`
	Host     string            `json:"host"`
	Cookie   *string           `json:"cookie"`
	Post     *string           `json:"post_token"`
	Header   *string           `json:"header_token"`
	Origin   *string           `json:"origin"`
	Referer  *string           `json:"referer"`
	Session  map[string]string `json:"session"`
	Environ  map[string]string `json:"environ"`
	Exempt   bool              `json:"csrf_exempt"`
	Settings struct {
		AllowedHosts     []string `json:"ALLOWED_HOSTS"`
		TrustedOrigins   []string `json:"CSRF_TRUSTED_ORIGINS"`
		CookieDomain     string   `json:"CSRF_COOKIE_DOMAIN"`
		HeaderName       string   `json:"CSRF_HEADER_NAME"`
		UseSessions      bool     `json:"CSRF_USE_SESSIONS"`
		UseForwardedHost bool     `json:"USE_X_FORWARDED_HOST"`
		ProxySSLHeader   []string `json:"SECURE_PROXY_SSL_HEADER"`
	} `json:"settings"`
}

type csrfExpect struct {
	Secret     string   `json:"secret"`
	Mask       string   `json:"mask"`
	Accepted   bool     `json:"accepted"`
	Reason     string   `json:"reason"`
	Raises     string   `json:"raises"`
	FormSecret string   `json:"form_secret"`
	SetCookie  []string `json:"set_cookie"`
}

type csrfVector = vector[csrfInput, csrfExpect]

// TestCSRFVectors checks each case of csrf.json, by the rules of each generation of Django that it holds for.
func TestCSRFVectors(t *testing.T) {
	generations := map[string]djangocompat.CSRFRules{"3.2": djangocompat.CSRFBefore40, "4.1": djangocompat.CSRFCurrent}
	for _, v := range vectors[csrfInput, csrfExpect](t, "csrf.json", "") {
		for version, rules := range generations {
			if !slices.Contains(v.Django, version) {
				continue
			}
			t.Run(v.Name+" by "+version, func(t *testing.T) {
				switch v.Input.Op {
				case "unmask":
					secret, ok := djangocompat.UnmaskCSRF(v.Input.Token)
					if !ok || secret != v.Expect.Secret || !strings.HasPrefix(v.Input.Token, v.Expect.Mask) {
						t.Errorf("UnmaskCSRF = %q, %v, want %q", secret, ok, v.Expect.Secret)
					}
				case "get_token":
					checkCSRFToken(t, v, rules)
				case "check":
					checkCSRFVector(t, v, rules)
				default:
					t.Fatalf("unknown operation %q", v.Input.Op)
				}
			})
		}
	}
}

func checkCSRFToken(t *testing.T, v csrfVector, rules djangocompat.CSRFRules) {
	t.Helper()
	got := newCSRF(t, djangocompat.CSRFConfig{Rules: rules}).Token(v.Input.Cookie)
	stored, _, _ := strings.Cut(strings.TrimPrefix(v.Expect.SetCookie[0], "csrftoken="), ";")
	secret, ok := djangocompat.UnmaskCSRF(got.Form)
	kept := v.Input.Cookie != nil && (*v.Input.Cookie == v.Expect.FormSecret || len(*v.Input.Cookie) == 64)
	if !ok || len(got.Store) != len(stored) || kept && secret != v.Expect.FormSecret {
		t.Errorf("Token = %+v, want one of %q, and %q stored", got, v.Expect.FormSecret, stored)
	}
	if len(got.Store) == 64 {
		got.Store, _ = djangocompat.UnmaskCSRF(got.Store)
	}
	if got.Store != secret {
		t.Errorf("Token stores the secret %q and is one of %q", got.Store, secret)
	}
}

func checkCSRFVector(t *testing.T, v csrfVector, rules djangocompat.CSRFRules) {
	t.Helper()
	in := v.Input
	c := newCSRF(t, djangocompat.CSRFConfig{
		Rules:          rules,
		Hosts:          djangocompat.HostSettings{AllowedHosts: in.Settings.AllowedHosts, UseForwardedHost: in.Settings.UseForwardedHost},
		TrustedOrigins: in.Settings.TrustedOrigins,
		CookieDomain:   in.Settings.CookieDomain,
		HeaderName:     in.Settings.HeaderName,
		UseSessions:    in.Settings.UseSessions,
	})
	r := djangocompat.CSRFRequest{
		Method: in.Method, Exempt: in.Exempt, Secret: in.Cookie, HeaderToken: in.Header, Origin: in.Origin, Referer: in.Referer,
		Host: djangocompat.HostRequest{Host: &in.Host, ServerPort: in.Environ["SERVER_PORT"], Secure: in.Secure},
	}
	if in.Post != nil {
		r.FormToken = *in.Post
	}
	if host, ok := in.Environ["HTTP_X_FORWARDED_HOST"]; ok {
		r.Host.ForwardedHost = &host
	}
	if h := in.Settings.ProxySSLHeader; h != nil { // which requests are secure is the caller's to know
		first, _, _ := strings.Cut(in.Environ[h[0]], ",")
		r.Host.Secure = strings.TrimSpace(first) == h[1]
	}
	if in.Settings.UseSessions {
		r.Secret = nil
		if secret, ok := in.Session[djangocompat.CSRFSessionKey]; ok {
			r.Secret = &secret
		}
	}
	err := c.Check(r)
	if v.Expect.Accepted {
		if err != nil {
			t.Errorf("Check: %v, want nil", err)
		}
		return
	}
	refusal, ok := errors.AsType[*djangocompat.CSRFError](err)
	switch {
	case !ok:
		t.Errorf("Check: %v, want %q", err, v.Expect.Reason)
	case v.Expect.Raises != "": // in 3.2 a Referer with half an address; newer ones say what is said here
		if refusal.Reason != djangocompat.CSRFMalformedReferer {
			t.Errorf("Check: %v, want CSRFMalformedReferer", err)
		}
	case refusal.Text() != v.Expect.Reason:
		t.Errorf("Check: %q, want %q", refusal.Text(), v.Expect.Reason)
	}
}

func newCSRF(tb testing.TB, cfg djangocompat.CSRFConfig) *djangocompat.CSRF {
	tb.Helper()
	c, err := djangocompat.NewCSRF(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}
