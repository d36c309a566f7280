package djangotest

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// csrfField is how Django's forms carry the token.
var csrfField = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([0-9A-Za-z]+)"`)

// A visitor has a cookie jar of its own, as a browser does.
type visitor struct {
	site   *url.URL
	client *http.Client
}

func (s *Site) newVisitor(t testing.TB, cookie string) *visitor {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		jar.SetCookies(u, []*http.Cookie{{Name: SessionCookie, Value: cookie, Path: "/"}})
	}
	return &visitor{site: u, client: &http.Client{
		Jar:           jar,
		Timeout:       patience,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Login logs a user in through Django's login form and returns the value of the session cookie.
func (s *Site) Login(t testing.TB, username, password string) string {
	t.Helper()
	v := s.newVisitor(t, "")
	status, body := v.submit(t, "/accounts/login/", "/accounts/login/",
		url.Values{"username": {username}, "password": {password}})
	if status != http.StatusFound {
		t.Fatalf("logging %s in: Django answered %d, want a redirect: %s", username, status, body)
	}
	cookie := v.cookie(SessionCookie)
	if cookie == "" {
		t.Fatalf("logging %s in: Django set no cookie %s", username, SessionCookie)
	}
	return cookie
}

// Logout logs the owner of the session cookie out, through the form on the site's first page.
func (s *Site) Logout(t testing.TB, cookie string) {
	t.Helper()
	v := s.newVisitor(t, cookie)
	status, body := v.submit(t, "/", "/accounts/logout/", nil)
	if status != http.StatusFound {
		t.Fatalf("logging out: Django answered %d, want a redirect: %s", status, body)
	}
	if left := v.cookie(SessionCookie); left != "" {
		t.Fatal("logging out: Django did not delete the session cookie")
	}
}

// submit fetches the page with a form, and posts the form's token and fields to action.
func (v *visitor) submit(t testing.TB, page, action string, fields url.Values) (status int, body string) {
	t.Helper()
	status, body = v.get(t, page)
	token := csrfField.FindStringSubmatch(body)
	if status != http.StatusOK || token == nil {
		t.Fatalf("%s answered %d and has no form with a CSRF token: %s", page, status, body)
	}
	form := url.Values{"csrfmiddlewaretoken": {token[1]}}
	maps.Copy(form, fields)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.site.String()+action, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Referer", v.site.String()+page)
	return v.do(t, r)
}

func (v *visitor) get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.site.String()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return v.do(t, r)
}

func (v *visitor) do(t testing.TB, r *http.Request) (status int, body string) {
	t.Helper()
	response, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// cookie is the value of a cookie in the jar, or empty.
func (v *visitor) cookie(name string) string {
	for _, c := range v.client.Jar.Cookies(v.site) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
