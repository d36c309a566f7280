package live

import (
	"reflect"
	"testing"
)

// TestTheIndexIsSmall looks at what there is of for each session and for each connection, of which there may be a million.
func TestTheIndexIsSmall(t *testing.T) {
	tests := []struct {
		name string
		is   reflect.Type
		most uintptr
	}{
		{"a session", reflect.TypeFor[watched](), 80},
		{"a connection", reflect.TypeFor[seat](), 48},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.is.Size() > tt.most {
				t.Errorf("%d bytes, want %d at most", tt.is.Size(), tt.most)
			}
		})
	}
}
