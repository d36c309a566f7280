package channellayer

import (
	"reflect"
	"testing"
)

// What there is of for each channel and membership, of which there may be a million, may not grow unnoticed.
func TestLocalIsSmall(t *testing.T) {
	tests := []struct {
		name string
		is   reflect.Type
		most uintptr
	}{
		{"a channel", reflect.TypeFor[localChannel](), 40},
		{"a membership in its channel", reflect.TypeFor[link](), 16},
		{"a membership in its group", reflect.TypeFor[member](), 8},
		{"a group", reflect.TypeFor[localGroup](), 40},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.is.Size(); got > tt.most {
				t.Errorf("%d bytes, want at most %d", got, tt.most)
			}
		})
	}
}
