package channellayer_test

import (
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

func TestDeliveryExpired(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name    string
		expires time.Time
		want    bool
	}{
		{"without a time an event is never stale", time.Time{}, false},
		{"before its time an event is fresh", now.Add(time.Second), false},
		{"at its time an event is fresh", now, false},
		{"after its time an event is stale", now.Add(-time.Nanosecond), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := channellayer.NewDelivery(channellayer.Event{"type": "x"}, tt.expires)
			if got := d.Expired(now); got != tt.want {
				t.Errorf("Expired = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMemo(t *testing.T) {
	d := channellayer.NewDelivery(channellayer.Event{"type": "x"}, time.Time{})
	var mu sync.Mutex
	computed := map[string]int{}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for _, key := range []string{"text", "binary"} {
				got := d.Memo(key, func(e channellayer.Event) any {
					mu.Lock()
					defer mu.Unlock()
					computed[key]++
					return key + " of " + e.Type()
				})
				if got != key+" of x" {
					t.Errorf("Memo(%s) = %v", key, got)
				}
			}
		})
	}
	asking.Wait()
	if computed["text"] != 1 || computed["binary"] != 1 {
		t.Errorf("computed %v times, want each once", computed)
	}
}
