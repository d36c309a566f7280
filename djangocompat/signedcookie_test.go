package djangocompat_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

func TestSignedCookie(t *testing.T) {
	keys := djangocompat.NewKeys("k")
	signed := func(t *testing.T, name, salt string) map[string]string {
		t.Helper()
		c, err := djangocompat.Cookie{Name: name, Value: "é 7", Path: "/"}.Signed(keys, salt)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{name: c.Value}
	}
	tests := []struct {
		name    string
		cookies map[string]string
		keys    djangocompat.Keys
		salt    string
		wait    time.Duration
		want    error
	}{
		{"as it was signed", signed(t, "cart", "s"), keys, "s", 0, nil},
		{"by a key that was changed", signed(t, "cart", "s"), djangocompat.NewKeys("new", "k"), "s", 0, nil},
		{"by a key that is not ours", signed(t, "cart", "s"), djangocompat.NewKeys("new"), "s", 0, djangocompat.ErrBadSignature},
		{"with another salt", signed(t, "cart", "other"), keys, "s", 0, djangocompat.ErrBadSignature},
		{"moved from another cookie", map[string]string{"cart": signed(t, "other", "s")["other"]}, keys, "s", 0, djangocompat.ErrBadSignature},
		{"no cookie", nil, keys, "s", 0, djangocompat.ErrNoCookie},
		{"no key", signed(t, "cart", "s"), djangocompat.Keys{}, "s", 0, djangocompat.ErrNoKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := djangocompat.SignedCookie(tt.keys, tt.cookies, "cart", tt.salt)
			if !errors.Is(err, tt.want) || err == nil && got != "é 7" {
				t.Errorf("SignedCookie = %q, %v, want error %v", got, err, tt.want)
			}
		})
	}
}

func TestSignedCookieMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := djangocompat.NewKeys("k")
		c, err := djangocompat.Cookie{Name: "cart", Value: "7"}.Signed(keys, "")
		if err != nil {
			t.Fatal(err)
		}
		cookies := map[string]string{"cart": c.Value}
		<-time.After(time.Minute)
		if _, err := djangocompat.SignedCookieMaxAge(keys, cookies, "cart", "", time.Minute); err != nil {
			t.Errorf("as old as it may be: %v", err)
		}
		<-time.After(time.Second)
		if _, err := djangocompat.SignedCookieMaxAge(keys, cookies, "cart", "", time.Minute); !errors.Is(err, djangocompat.ErrSignatureExpired) {
			t.Errorf("older: %v, want ErrSignatureExpired", err)
		}
	})
}

// signedCookieScript reads each of q["read"], as [name, salt, value], and signs each of q["sign"].
const signedCookieScript = `
from django.conf import settings
settings.configure(SECRET_KEY="k")
from django.http import HttpRequest, HttpResponse
def read(name, salt, value):
    r = HttpRequest()
    r.COOKIES = {name: value}
    return r.get_signed_cookie(name, salt=salt)
def sign(name, salt, value):
    r = HttpResponse()
    r.set_signed_cookie(name, value, salt=salt)
    return r.cookies[name].value
a = {"read": [read(*c) for c in q["read"]], "signed": [sign(*c) for c in q["sign"]]}`

func TestSignedCookiesWithDjango(t *testing.T) {
	keys := djangocompat.NewKeys("k")
	plain := [][3]string{{"cart", "", "7"}, {"cart", "salt", "é:1"}, {"a", "b", ""}}
	var read [][3]string
	for _, c := range plain {
		signed, err := djangocompat.Cookie{Name: c[0], Value: c[2]}.Signed(keys, c[1])
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, [3]string{c[0], c[1], signed.Value})
	}
	var answer struct{ Read, Signed []string }
	askDjango(t, signedCookieScript, map[string]any{"read": read, "sign": plain}, &answer)
	for i, c := range plain {
		if answer.Read[i] != c[2] {
			t.Errorf("Django reads %q, want %q", answer.Read[i], c[2])
		}
		got, err := djangocompat.SignedCookie(keys, map[string]string{c[0]: answer.Signed[i]}, c[0], c[1])
		if err != nil || got != c[2] {
			t.Errorf("SignedCookie of what Django signed = %q, %v, want %q", got, err, c[2])
		}
	}
}

func ExampleSignedCookie() {
	keys := djangocompat.NewKeys("the site's SECRET_KEY")
	c, err := djangocompat.Cookie{Name: "cart", Value: "7", Path: "/"}.Signed(keys, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(djangocompat.SignedCookie(keys, map[string]string{"cart": c.Value}, "cart", "shop"))
	// Output: 7 <nil>
}
