package authmw_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

// A secret and a token of it that Django made.
const (
	djangosSecret = "qv9Qau3qnhrK4I13Y4t2gklinq0jcMuH"
	djangosToken  = "VBjSVFYh5orfO5O0pjdlqE6hytwTcyE7bWiyVZRxivIPIDFTddwdwOhpLJm2eaYE"
)

func newCSRF(tb testing.TB, cfg djangocompat.CSRFConfig) *djangocompat.CSRF {
	tb.Helper()
	cfg.Hosts.AllowedHosts = []string{"example.com"}
	check, err := djangocompat.NewCSRF(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return check
}

// echo answers with the body of the request.
func echo() consumers.Application {
	return consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
}

// overTLS wraps an Application: it takes requests for such that came over TLS.
func overTLS(app consumers.Application) consumers.Application {
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		s = s.Clone()
		s.Scheme = "https"
		return app.Open(ctx, s)
	})
}

// post makes a request to app; fields are names and values of the header.
func post(tb testing.TB, app consumers.Application, body string, fields ...string) (status int, answer string) {
	tb.Helper()
	header := http.Header{"Host": {"example.com"}}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			header.Del("Host")
		}
		header.Add(fields[i], fields[i+1])
	}
	r := wstest.Request(tb.Context(), app, "POST", "/", []byte(body), wstest.Config{Header: header})
	text, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// No page of another site gets a request through, and the site's own do.
func TestCSRF(t *testing.T) {
	const cookie, form = "csrftoken=" + djangosSecret, "application/x-www-form-urlencoded"
	foreign := djangocompat.MaskCSRF(djangocompat.NewCSRFSecret())
	tests := []struct {
		name   string
		body   string
		fields []string
		want   int
	}{
		{"a token of Django's in the header", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken}, 200},
		{"a token of Django's in the form", "a=b&csrfmiddlewaretoken=" + djangosToken, []string{"Cookie", cookie, "Content-Type", form}, 200},
		{"a name and token that are escaped", "%63srfmiddlewaretoken=%56" + djangosToken[1:], []string{"Cookie", cookie, "Content-Type", form + "; charset=utf-8"}, 200},
		{"an empty header is none", "csrfmiddlewaretoken=" + djangosToken, []string{"Cookie", cookie, "Content-Type", form, "X-Csrftoken", ""}, 200},
		{"of two tokens the last counts", "csrfmiddlewaretoken=x&csrfmiddlewaretoken=" + djangosToken, []string{"Cookie", cookie, "Content-Type", form}, 200},
		{"the last one wrong", "csrfmiddlewaretoken=" + djangosToken + "&csrfmiddlewaretoken=x", []string{"Cookie", cookie, "Content-Type", form}, 403},
		{"the site's own origin", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "http://example.com"}, 200},
		{"a trusted origin", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "https://a.trusted.com"}, 200},

		{"no token", "", []string{"Cookie", cookie}, 403},
		{"no cookie", "csrfmiddlewaretoken=" + djangosToken, []string{"Content-Type", form}, 403},
		{"nothing", "", nil, 403},
		{"a token of the attacker's", "csrfmiddlewaretoken=" + foreign, []string{"Cookie", cookie, "Content-Type", form}, 403},
		{"a right form with a wrong header", "csrfmiddlewaretoken=" + djangosToken, []string{"Cookie", cookie, "Content-Type", form, "X-Csrftoken", foreign}, 403},
		{"a token in what is no form", `{"csrfmiddlewaretoken":"` + djangosToken + `"}`, []string{"Cookie", cookie, "Content-Type", "text/plain"}, 403},
		{"a form that says so to nobody", "csrfmiddlewaretoken=" + djangosToken, []string{"Cookie", cookie}, 403},
		{"another origin", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "https://evil.com"}, 403},
		{"another scheme", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "https://example.com"}, 403},
		{"an opaque origin", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "null"}, 403},
		{"two origins", "", []string{"Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "https://evil.com", "Origin", "http://example.com"}, 403},
		{"a host that is not the site's", "", []string{"Host", "evil.com", "Cookie", cookie, "X-Csrftoken", djangosToken, "Origin", "http://evil.com"}, 403},
		{"a tossed cookie, the last of two", "", []string{"Cookie", cookie + "; csrftoken=" + foreign, "X-Csrftoken", djangosToken}, 403},
		{"multipart without a boundary", "x", []string{"Cookie", cookie, "Content-Type", "multipart/form-data"}, 403},
	}
	app := authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{TrustedOrigins: []string{"https://*.trusted.com"}}), authmw.CSRFConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := post(t, app, tt.body, tt.fields...)
			if status != tt.want {
				t.Errorf("status %d, want %d: %s", status, tt.want, answer)
			}
			if status == 200 && answer != tt.body {
				t.Errorf("inside, the body is %q, want %q", answer, tt.body)
			}
		})
	}
}

func TestCSRFReferer(t *testing.T) {
	app := overTLS(authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{}))
	tests := []struct {
		name    string
		referer []string
		want    int
	}{
		{"the site's own", []string{"Referer", "https://example.com/page"}, 200},
		{"none", nil, 403},
		{"another site's", []string{"Referer", "https://evil.com/"}, 403},
		{"one without TLS", []string{"Referer", "http://example.com/"}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields := append([]string{"Cookie", "csrftoken=" + djangosSecret, "X-Csrftoken", djangosToken}, tt.referer...)
			if status, answer := post(t, app, "", fields...); status != tt.want {
				t.Errorf("status %d, want %d: %s", status, tt.want, answer)
			}
		})
	}
}

// multipartForm returns a form, with a file before its token, and its Content-Type.
func multipartForm(tb testing.TB, token string) (body, contentType string) {
	tb.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file, err := w.CreateFormFile("csrfmiddlewaretoken", "evil.txt")
	if err == nil {
		_, err = io.WriteString(file, "a file of that name is no token")
	}
	if err == nil {
		err = w.WriteField("csrfmiddlewaretoken", token)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestCSRFMultipart(t *testing.T) {
	app := authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{})
	body, contentType := multipartForm(t, djangosToken)
	if status, answer := post(t, app, body, "Cookie", "csrftoken="+djangosSecret, "Content-Type", contentType); status != 200 || answer != body {
		t.Errorf("status %d, want 200, and the body inside: %s", status, answer)
	}
	body, contentType = multipartForm(t, djangosToken+strings.Repeat("a", 1000))
	if status, _ := post(t, app, body, "Cookie", "csrftoken="+djangosSecret, "Content-Type", contentType); status != 403 {
		t.Errorf("a token that is too long: status %d, want 403", status)
	}
}

// A form is held in memory up to a bound; a token in the header needs no form.
func TestCSRFMaxForm(t *testing.T) {
	app := authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{MaxForm: 200})
	const cookie, form = "csrftoken=" + djangosSecret, "application/x-www-form-urlencoded"
	body := "csrfmiddlewaretoken=" + djangosToken + "&a="
	body += strings.Repeat("x", 200-len(body))
	if status, _ := post(t, app, body, "Cookie", cookie, "Content-Type", form); status != 200 {
		t.Errorf("at the bound: status %d, want 200", status)
	}
	if status, _ := post(t, app, body+"x", "Cookie", cookie, "Content-Type", form); status != 413 {
		t.Errorf("one over it: status %d, want 413", status)
	}
	if status, answer := post(t, app, body+"x", "Cookie", cookie, "Content-Type", form, "X-Csrftoken", djangosToken); status != 200 || answer != body+"x" {
		t.Errorf("with a header: status %d, want 200", status)
	}
}

// What needs no body is refused before anybody is looked up, and what is no HTTP request is let through.
func TestCSRFOrder(t *testing.T) {
	opened := 0
	inner := consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) {
		opened++
		return nil, consumers.ErrNoRoute
	})
	app := authmw.CSRF(inner, newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{})
	if status, _ := post(t, app, "", "Cookie", "csrftoken="+djangosSecret, "Origin", "https://evil.com"); status != 403 || opened != 0 {
		t.Errorf("another origin: status %d, opened %d times, want 403 and none", status, opened)
	}
	if status, _ := post(t, app, "", "Cookie", "csrftoken="+djangosSecret); status != 404 || opened != 1 {
		t.Errorf("no route: status %d, opened %d times, want 404 and once", status, opened)
	}
	if _, err := app.Open(t.Context(), &consumers.Scope{Type: consumers.TypeWebSocket, Method: "GET"}); err != consumers.ErrNoRoute || opened != 2 {
		t.Errorf("a WebSocket: %v, opened %d times", err, opened)
	}
	if r := wstest.Request(t.Context(), app, "GET", "/", nil, wstest.Config{}); r.StatusCode != 404 || opened != 3 {
		t.Errorf("GET: status %d, opened %d times", r.StatusCode, opened)
	}
}

func TestCSRFMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	app := authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{Registerer: reg})
	post(t, app, "")
	post(t, app, "", "Cookie", "csrftoken="+djangosSecret, "Origin", "https://evil.com")
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	want := `# HELP auth_csrf_refused_total HTTP requests that were refused as forged, by reason.
# TYPE auth_csrf_refused_total counter
auth_csrf_refused_total{reason="no cookie"} 1
auth_csrf_refused_total{reason="origin is not trusted"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestCSRFPanicsForABadCookie(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{CookieSameSite: "Maybe"})
}

// FuzzCSRFForm checks that only a form with the token gets through, and that it is whole inside.
func FuzzCSRFForm(f *testing.F) {
	body, contentType := multipartForm(f, djangosToken)
	f.Add("csrfmiddlewaretoken="+djangosToken, "application/x-www-form-urlencoded")
	f.Add("a=%zz&;csrfmiddlewaretoken=%56&&=", "application/x-www-form-urlencoded; charset=x")
	f.Add(body, contentType)
	f.Add(body[:len(body)/2], contentType)
	f.Add("", "multipart/form-data; boundary=\"\"")
	app := authmw.CSRF(echo(), newCSRF(f, djangocompat.CSRFConfig{}), authmw.CSRFConfig{MaxForm: 1 << 16})
	f.Fuzz(func(t *testing.T, body, contentType string) {
		status, answer := post(t, app, body, "Cookie", "csrftoken="+djangosSecret, "Content-Type", contentType)
		switch {
		case status == 200 && answer != body:
			t.Errorf("inside, the body is %q, want %q", answer, body)
		case status != 200 && status != 403 && status != 413:
			t.Errorf("status %d", status)
		}
		if status, _ := post(t, app, body, "Cookie", "csrftoken="+strings.Repeat("x", 31), "Content-Type", contentType); status == 200 {
			t.Error("let in without a secret")
		}
	})
}

func ExampleCSRF() {
	check, err := djangocompat.NewCSRF(djangocompat.CSRFConfig{Hosts: djangocompat.HostSettings{AllowedHosts: []string{"example.com"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := authmw.CSRF(echo(), check, authmw.CSRFConfig{})
	r := wstest.Request(context.Background(), app, "POST", "/", []byte("forged"), wstest.Config{Header: http.Header{"Host": {"example.com"}}})
	fmt.Println(r.StatusCode)
	// Output: 403
}
