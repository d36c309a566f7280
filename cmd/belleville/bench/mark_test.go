package bench

import (
	"strings"
	"testing"
	"time"
)

func TestFindMark(t *testing.T) {
	want := mark{"r1", 3, 17, 1732305432123456789}
	text := string(appendMark(nil, want, 0))
	tests := []struct {
		name, message string
		found         bool
	}{
		{"alone", text, true},
		{"in JSON", `{"message": "` + text + `xxx", "user.username": "alice"}`, true},
		{"behind what only begins like one", "bench: bench:x; bench:r:1:2:3:4; " + text, true},
		{"behind one without an end", "bench:" + strings.Repeat("1", 200) + text, true},
		{"nothing", "", false},
		{"no number", "bench:r1:3::1;", false},
		{"a number below 1", "bench:r1:3:0:1;", false},
		{"a negative sender", "bench:r1:-3:1:1;", false},
		{"a number that is too large", "bench:r1:3:9223372036854775808:1;", false},
		{"no run", "bench::3:1:1;", false},
		{"no end", "bench:r1:3:17:1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found := findMark([]byte(tt.message))
			if found != tt.found || found && got != want {
				t.Errorf("got %+v, %v, want %+v, %v", got, found, want, tt.found)
			}
		})
	}
}

func TestAMessageIsAsLongAsItIsToBe(t *testing.T) {
	k := marker{run: "r", before: `{"message": "`, behind: `"}`, began: time.Now()}
	for _, size := range []int{128, 129, 1000} {
		k.size = size
		if got := k.message(1, 2, 3); len(got) != size {
			t.Errorf("%d bytes, want %d: %s", len(got), size, got)
		}
	}
	k.size = 1
	if got, want := string(k.message(1, 2, 3)), `{"message": "bench:r:1:2:3;"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzFindMark(f *testing.F) {
	f.Add([]byte(`{"message": "bench:r1:3:17:1732305432123456789;xxx"}`))
	f.Fuzz(func(t *testing.T, message []byte) {
		m, found := findMark(message)
		if found && (m.run == "" || m.sender < 0 || m.number < 1 || m.sent < 0) {
			t.Errorf("found %+v", m)
		}
	})
}
