package djangocompat_test

import (
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// csrfScript has CsrfViewMiddleware judge each of q, as [cookie, token], and returns a cookie and a token of its own.
const csrfScript = `
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["testserver"])
import django
django.setup()
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.http import HttpResponse
from django.test import RequestFactory
middleware = CsrfViewMiddleware(lambda r: HttpResponse())
def judge(cookie, token):
    r = RequestFactory(enforce_csrf_checks=True).post("/", HTTP_X_CSRFTOKEN=token)
    r.COOKIES["csrftoken"] = cookie
    r._dont_enforce_csrf_checks = False
    middleware.process_request(r)
    return middleware.process_view(r, lambda r: None, (), {}) is None
def mint():
    r = RequestFactory().get("/")
    token = get_token(r)
    response = middleware.process_response(r, HttpResponse())
    return [response.cookies["csrftoken"].value, token]
a = {"judged": [judge(*c) for c in q], "minted": [mint() for i in range(10)]}`

// TestCSRFWithDjango has a running Django accept what Go made, and Go what Django made, by both rules: one cookie
// serves both.
func TestCSRFWithDjango(t *testing.T) {
	all := []djangocompat.CSRFRules{djangocompat.CSRFBefore40, djangocompat.CSRFCurrent}
	var question [][2]string
	for range 10 {
		for _, rules := range all {
			token := newCSRF(t, djangocompat.CSRFConfig{Rules: rules}).Token(nil)
			question = append(question, [2]string{token.Store, token.Form}, [2]string{token.Store, djangocompat.MaskCSRF(djangocompat.NewCSRFSecret())})
		}
	}
	var answer struct {
		Judged []bool
		Minted [][2]string
	}
	askDjango(t, csrfScript, question, &answer)
	if len(answer.Judged) != len(question) || len(answer.Minted) == 0 {
		t.Fatalf("Django judged %d of %d and minted %d", len(answer.Judged), len(question), len(answer.Minted))
	}
	for i, pair := range question {
		if right := i%2 == 0; answer.Judged[i] != right {
			t.Errorf("Django says %v of the cookie %q and the token %q, want %v", answer.Judged[i], pair[0], pair[1], right)
		}
	}
	for _, pair := range answer.Minted {
		for _, rules := range all {
			r := djangocompat.CSRFRequest{Method: "POST", Secret: &pair[0], HeaderToken: &pair[1]}
			if err := newCSRF(t, djangocompat.CSRFConfig{Rules: rules}).Check(r); err != nil {
				t.Errorf("Check of Django's cookie %q and token %q: %v", pair[0], pair[1], err)
			}
		}
	}
}
