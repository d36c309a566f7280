package lazyctx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/internal/lazyctx"
)

type key struct{}

// TestContext holds what others expect of a context.
func TestContext(t *testing.T) {
	base := context.WithValue(context.Background(), key{}, "value")
	tests := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"is not done before its end", func(t *testing.T) {
			c := lazyctx.New(base)
			wantOpen(t, c)
			<-time.After(time.Hour)
			wantOpen(t, c)
			c.End(context.Canceled)
			wantDone(t, c, context.Canceled)
		}},
		{"is done when its time is over, if somebody waits", func(t *testing.T) {
			c := lazyctx.WithTimeout(base, time.Second)
			began := time.Now()
			<-c.Done()
			if took := time.Since(began); took != time.Second {
				t.Errorf("done after %v", took)
			}
			wantDone(t, c, context.DeadlineExceeded)
		}},
		{"is done when its time is over, if nobody has waited", func(t *testing.T) {
			c := lazyctx.WithTimeout(base, time.Second)
			<-time.After(2 * time.Second)
			if err := c.Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Err = %v", err)
			}
			wantDone(t, c, context.DeadlineExceeded)
		}},
		{"keeps the first reason of its end", func(t *testing.T) {
			c := lazyctx.New(base)
			c.End(context.DeadlineExceeded)
			c.End(context.Canceled)
			wantDone(t, c, context.DeadlineExceeded)
		}},
		{"ends its children", func(t *testing.T) {
			c := lazyctx.New(base)
			child, cancel := context.WithCancel(c)
			defer cancel()
			wantOpen(t, child)
			c.End(context.Canceled)
			synctest.Wait()
			wantDone(t, child, context.Canceled)
		}},
		{"has the values of its base, before and after somebody waits", func(t *testing.T) {
			c := lazyctx.New(base)
			for range 2 {
				if got := c.Value(key{}); got != "value" {
					t.Errorf("Value = %v", got)
				}
				c.Done()
			}
			c.End(context.Canceled)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

// TestNobodyAsks allocates nothing but the Context while nobody asks for its end.
func TestNobodyAsks(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		c := lazyctx.WithTimeout(context.Background(), time.Second)
		_ = c.Err()
		c.End(context.Canceled)
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func wantOpen(t *testing.T, c context.Context) {
	t.Helper()
	if err := c.Err(); err != nil {
		t.Errorf("Err = %v before the end", err)
	}
	select {
	case <-c.Done():
		t.Error("done before the end")
	default:
	}
}

func wantDone(t *testing.T, c context.Context, want error) {
	t.Helper()
	select {
	case <-c.Done():
	default:
		t.Error("not done after the end")
	}
	if err := c.Err(); !errors.Is(err, want) {
		t.Errorf("Err = %v, want %v", err, want)
	}
}
