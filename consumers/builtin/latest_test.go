package builtin

import (
	"testing"

	"github.com/belleville/belleville/channellayer"
)

func TestARelaySaysWhatAnEventTellsTheStateOf(t *testing.T) {
	tests := []struct {
		name  string
		by    string
		event channellayer.Event
		want  string
	}{
		{"nothing by default", "", channellayer.Event{"type": "price", "symbol": "A"}, ""},
		{"its type", "type", channellayer.Event{"type": "price", "symbol": "A"}, `price "price"`},
		{"a value", "symbol", channellayer.Event{"type": "price", "symbol": "A"}, `price "A"`},
		{"a number is not a text", "symbol", channellayer.Event{"type": "price", "symbol": int64(1)}, `price 1`},
		{"nothing without the value", "symbol", channellayer.Event{"type": "price"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app, err := newRelay(RelayConfig{LatestBy: tt.by})
			if err != nil {
				t.Fatal(err)
			}
			m, err := app.showEvent(tt.event)
			if err != nil || m.Key != tt.want {
				t.Errorf("key = %q, %v, want %q", m.Key, err, tt.want)
			}
		})
	}
}
