package server

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// FuzzHead reads request heads. Whatever the bytes, it returns within the limits; and a head that is taken as
// an opening handshake means the same to net/http.
func FuzzHead(f *testing.F) {
	limits := Config{}.withDefaults()
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := headLen(data, limits.MaxHead)
		if n > min(len(data), limits.MaxHead) || err == nil && n == 0 && len(data) >= limits.MaxHead {
			t.Fatalf("headLen of %d bytes = %d, %v", len(data), n, err)
		}
		if err != nil || n == 0 {
			return
		}
		h, err := parseHead(data[:n], limits.MaxHeaders)
		if err != nil {
			if _, ok := errors.AsType[*headError](err); !ok {
				t.Fatalf("parseHead: %v, want a headError", err)
			}
			return
		}
		checkBounds(t, h, n, limits.MaxHeaders)
		status := h.checkUpgrade()
		_, path, query, err := splitTarget(h.target)
		if !h.wantsUpgrade() || status != 0 || err != nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data[:n])))
		if err != nil {
			t.Fatalf("net/http refuses what is accepted: %v", err)
		}
		if r.Method != h.method || r.RequestURI != h.target || r.URL.Path != path || r.URL.RawQuery != query {
			t.Errorf("read %s %s, path %q, query %q; net/http %s %s, %q, %q",
				h.method, h.target, path, query, r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery)
		}
		compareFields(t, h, r)
	})
}

// checkBounds fails where a head is larger than the bytes that it was made of.
func checkBounds(t *testing.T, h *head, size, maxFields int) {
	t.Helper()
	total := len(h.method) + len(h.target)
	for _, field := range h.fields {
		total += len(field.Name) + len(field.Value)
		if field.Name != strings.ToLower(field.Name) || !isToken(field.Name) || strings.Contains(field.Name, "_") {
			t.Errorf("field name %q", field.Name)
		}
		if !isValue(field.Value) || field.Value != strings.Trim(field.Value, " \t") {
			t.Errorf("field value %q", field.Value)
		}
	}
	if total > size || len(h.fields) > maxFields {
		t.Errorf("%d fields with %d bytes out of %d", len(h.fields), total, size)
	}
}

// compareFields fails where net/http has other fields. It keeps the host apart, keeps names with an underscore,
// and may add a Cache-Control of its own.
func compareFields(t *testing.T, h *head, r *http.Request) {
	t.Helper()
	want := make(http.Header)
	for _, field := range h.fields {
		want.Add(field.Name, field.Value)
	}
	if host := want.Get("Host"); !strings.EqualFold(host, r.Host) {
		t.Errorf("host %q, net/http %q", host, r.Host)
	}
	want.Del("Host")
	if want["Cache-Control"] == nil && r.Header.Get("Pragma") == "no-cache" {
		r.Header.Del("Cache-Control")
	}
	maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return strings.Contains(name, "_") })
	if !maps.EqualFunc(want, r.Header, slices.Equal) {
		t.Errorf("fields %q, net/http %q", want, r.Header)
	}
}
