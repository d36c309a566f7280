package server

import "testing"

func TestHasToken(t *testing.T) {
	tests := []struct {
		name string
		list string
		want bool
	}{
		{"alone", "websocket", true},
		{"in any case", "WebSocket", true},
		{"in a list", "h2c ,\twebsocket", true},
		{"with a version", "websocket/13", true},
		{"a part is none", "websockets", false},
		{"a Kelvin sign is no k", "websoc\u212aet", false},
		{"a long s is no s", "web\u017focket", false},
		{"blanks inside", "web socket", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hasToken(tt.list, "websocket"); got != tt.want {
				t.Errorf("hasToken(%q) = %v, want %v", tt.list, got, tt.want)
			}
		})
	}
}
