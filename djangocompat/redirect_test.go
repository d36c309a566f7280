package djangocompat_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
)

// redirectCase is a URL, and what Django says of it: with the host alone, with one of hosts, and over TLS.
type redirectCase struct {
	URL    string  `json:"url"`
	Answer [3]bool `json:"answer"`
}

// redirectHosts are the hosts that a redirect may lead to.
func redirectHosts() []string {
	return []string{"testserver", "example.com", "example.com:8000", "[::1]:80"}
}

// redirectScript says of each of q["urls"] what url_has_allowed_host_and_scheme says.
const redirectScript = `
from django.utils.http import url_has_allowed_host_and_scheme as safe
a = [[safe(u, None), safe(u, set(q["hosts"])), safe(u, set(q["hosts"]), True)] for u in q["urls"]]`

// trickyURLs makes URLs out of what browsers and servers have read in different ways.
func trickyURLs() []string {
	var urls []string
	for _, scheme := range []string{"", "http:", "https:", "HTTPS:", "ftp:", "javascript:", "data:", "9:", "ht tp:", ":", "http"} {
		for _, slashes := range []string{"", "/", "//", "///", "////", `\`, `\\`, `/\`, `\/`, `///\`} {
			for _, rest := range []string{"", "example.com", "evil.com/a?next=//example.com#x"} {
				urls = append(urls, scheme+slashes+rest)
			}
		}
	}
	for _, netloc := range []string{
		"EXAMPLE.com", "example.com:8000", "example.com:80", "example.com.", "a.example.com", "user@example.com",
		"user:pw@example.com", "example.com@evil.com", `evil.com\@example.com`, `example.com\@evil.com`, "example.com:8000@evil.com",
		"[::1]", "[::1]:80", "[::1", "::1]", "]example.com[", "example.com%2eevil.com", "example.com%00.evil.com",
		"example.com\x00", "example。com", "ｅxample.com", "example.com?@evil.com", "example.com#@evil.com", "example.com;evil.com", "testserver",
	} {
		urls = append(urls, "//"+netloc, "https://"+netloc+"/p", "http://"+netloc+"?x")
	}
	return append(urls, "/", "/chat/", "chat/", "?next=/", "#top", ".", "..", "../x", "/:80", "a:b", "/a:b", "a/b:c", "/a?b=http://evil.com",
		" /chat/", "  //evil.com", "\u00a0//evil.com", "\u2028//evil.com", "\x1c//evil.com", "\x00//evil.com", "\x08//evil.com", "\x7f/a", "\u200b//evil.com",
		"\ufeff//evil.com", "\u00ad/a", "\ue000/a", "\U000e0001/a", "\u0378/a", "/\x00/evil.com", "é", "/é", "%2f%2fevil.com", "/%2f/evil.com", "/..//evil.com",
		"/.//evil.com", ";//evil.com", "//;@evil.com", "http:evil.com", "https:/evil.com", "http:/example.com", "http:///example.com", "JaVaScRiPt:alert(1)",
		"java\x00script:alert(1)", "vbscript:x", "mailto:a@b", "blob:https://example.com/x", "view-source:https://example.com", "//", "///", "http://", "https://", "://", ":", "", " ", `\`, "/\\/evil.com",
		"https://example.com\\", "https://example.com\\evil", "//example.com/\\evil.com", "http:\\\\example.com", "http:\\\\evil.com", `\/\/evil.com`, "////example.com", "http://////evil.com",
		strings.Repeat("a", 2048), "/"+strings.Repeat("a", 2047))
}

// TestT11SafeRedirect is security row T11: it checks against the answers of Django in testdata/redirects.json.
func TestT11SafeRedirect(t *testing.T) {
	text, err := os.ReadFile("testdata/redirects.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []redirectCase }
	if err := json.Unmarshal(text, &file); err != nil || len(file.Cases) < 200 {
		t.Fatalf("%d cases, %v", len(file.Cases), err)
	}
	checkRedirects(t, file.Cases)
	chaos.Row(t, chaos.Holds(!t.Failed()), "T11", fmt.Sprintf("%d URLs, each with three sets of hosts", len(file.Cases)), "as Django says", "no difference")
}

// TestSafeRedirectWithDjango checks against a running Django.
func TestSafeRedirectWithDjango(t *testing.T) {
	urls := trickyURLs()
	var answers [][3]bool
	askDjango(t, redirectScript, map[string]any{"urls": urls, "hosts": redirectHosts()}, &answers)
	cases := make([]redirectCase, len(urls))
	for i := range urls {
		cases[i] = redirectCase{urls[i], answers[i]}
	}
	checkRedirects(t, cases)
}

func checkRedirects(t *testing.T, cases []redirectCase) {
	t.Helper()
	yes := 0
	for _, c := range cases {
		got := [3]bool{
			djangocompat.SafeRedirect(c.URL, djangocompat.RedirectConfig{}),
			djangocompat.SafeRedirect(c.URL, djangocompat.RedirectConfig{Hosts: redirectHosts()}),
			djangocompat.SafeRedirect(c.URL, djangocompat.RedirectConfig{Hosts: redirectHosts(), RequireHTTPS: true}),
		}
		if got != c.Answer {
			t.Errorf("SafeRedirect(%q) within the host, to others, over TLS: %v, Django says %v", c.URL, got, c.Answer)
		}
		if slices.Contains(got[:], true) {
			yes++
		}
	}
	if yes == 0 || yes == len(cases) {
		t.Errorf("%d of %d are safe: that proves nothing", yes, len(cases))
	}
}

// Browsers leave tabs and line ends out, wherever they stand; Django 3.2 does not. Some answers of it are unsafe.
func TestSafeRedirectIsStricter(t *testing.T) {
	for _, target := range []string{
		"/\t/evil.com", "/\n/evil.com", "/\r/evil.com", "/\t\\evil.com", "java\tscript:alert(1)", "/\t//evil.com", "/a\nb",
		"/" + strings.Repeat("a", 2048), "/\xff", "/\xed\xa0\x80",
	} {
		if djangocompat.SafeRedirect(target, djangocompat.RedirectConfig{Hosts: redirectHosts()}) {
			t.Errorf("SafeRedirect(%q) = true", target)
		}
	}
}

// FuzzSafeRedirect checks that a browser that reads a safe URL as liberally as any stays with the hosts.
func FuzzSafeRedirect(f *testing.F) {
	for _, target := range trickyURLs() {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !djangocompat.SafeRedirect(target, djangocompat.RedirectConfig{}) {
			return
		}
		edge := func(r rune) bool { return r <= ' ' || unicode.IsSpace(r) }
		liberal := strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(strings.TrimFunc(target, edge))
		// After two slashes comes a host; without one the URL is none, and a browser stays where it is.
		if host := strings.TrimLeft(liberal, "/"); strings.HasPrefix(liberal, "//") && host != "" && host[0] != '?' && host[0] != '#' {
			t.Errorf("SafeRedirect(%q) = true", target)
		}
		if i := strings.IndexFunc(liberal, notOfScheme); i > 0 && liberal[i] == ':' {
			t.Errorf("SafeRedirect(%q) = true, and has a scheme", target)
		}
	})
}

func notOfScheme(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.", r)
}
