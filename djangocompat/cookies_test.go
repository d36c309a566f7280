package djangocompat_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

func TestParseCookieBounds(t *testing.T) {
	tests := []struct {
		name   string
		header string
		ok     bool
	}{
		{"1000 cookies", strings.Repeat("a=b;", 999) + "a=b", true},
		{"1001 cookies", strings.Repeat("a=b;", 1000) + "a=b", false},
		{"64 KiB", "a=" + strings.Repeat("b", 64<<10-2), true},
		{"one byte more", "a=" + strings.Repeat("b", 64<<10-1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := djangocompat.ParseCookie(tt.header); errors.Is(err, djangocompat.ErrTooManyCookies) == tt.ok {
				t.Errorf("ParseCookie: %v, want an error: %v", err, !tt.ok)
			}
		})
	}
}

func TestCookieValues(t *testing.T) {
	got := slices.Collect(djangocompat.CookieValues(`s=1; x=2; S=3; s="4\073"; s`, "s"))
	if want := []string{"1", "4;"}; !slices.Equal(got, want) {
		t.Errorf("CookieValues = %q, want %q", got, want)
	}
	for range djangocompat.CookieValues("s=1; s=2", "s") {
		break // the walk must end where the caller ends it
	}
}

func TestCookieHeaderRefuses(t *testing.T) {
	tests := []struct {
		name   string
		cookie djangocompat.Cookie
	}{
		{"no name", djangocompat.Cookie{}},
		{"a name with a line feed", djangocompat.Cookie{Name: "a\nb"}},
		{"a name that is an attribute", djangocompat.Cookie{Name: "Expires"}},
		{"a path with a line feed", djangocompat.Cookie{Name: "a", Path: "/\r\nX: y"}},
		{"a domain with a NUL", djangocompat.Cookie{Name: "a", Domain: "a\x00"}},
		{"a SameSite that is none", djangocompat.Cookie{Name: "a", SameSite: "lax; Domain=b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.cookie.Header(); !errors.Is(err, djangocompat.ErrBadCookie) {
				t.Errorf("Header = %q, %v, want ErrBadCookie", got, err)
			}
		})
	}
}
