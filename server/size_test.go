package server

import (
	"reflect"
	"testing"
)

// What each connection has of its own may not grow unnoticed. The bounds are size classes of Go's heap: one byte more
// takes the next one.
func TestAConnectionIsSmall(t *testing.T) {
	tests := []struct {
		name string
		typ  reflect.Type
		most uintptr
	}{
		{"the server's end", reflect.TypeFor[conn](), 176},
		{"its place in the counts, a part of that", reflect.TypeFor[ticket](), 24},
		{"an empty outbox, another", reflect.TypeFor[outbox](), 16},
		{"its entry in the wheel", reflect.TypeFor[timerEntry](), 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.typ.Size(); got > tt.most {
				t.Errorf("%v takes %d bytes, want at most %d", tt.typ, got, tt.most)
			}
		})
	}
}
