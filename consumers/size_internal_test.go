package consumers

import (
	"reflect"
	"testing"
)

// What each connection has of its own may not grow unnoticed. The bound is a size class of Go's heap: one byte more
// takes the next one.
func TestASocketIsSmall(t *testing.T) {
	if got, most := reflect.TypeFor[Socket]().Size(), uintptr(176); got > most {
		t.Errorf("a Socket takes %d bytes, want at most %d", got, most)
	}
}
