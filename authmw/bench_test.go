package authmw_test

import (
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
)

// BenchmarkStack is a handshake without its database.
func BenchmarkStack(b *testing.B) {
	wrapped := authmw.AllowedHosts(authmw.Stack(app, new(fakeStore), authmw.Config{}), []string{".example.com"})
	s := visit("csrftoken=IcZckUjPxZ25jH940ZErqx3m6iWdyX0S; sessionid=alicessessionkey")
	s.Header = append(s.Header, consumers.HeaderField{Name: "origin", Value: "https://www.example.com"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wrapped.Open(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
