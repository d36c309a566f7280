package sessionstore

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/busy"
)

// slowHashers take a second for a password.
type slowHashers struct{}

func (slowHashers) Check(string, string) (djangocompat.PasswordVerdict, error) {
	time.Sleep(time.Second) // in a bubble
	return djangocompat.PasswordRight, nil
}
func (slowHashers) CheckDecoy()                 { time.Sleep(time.Second) }
func (slowHashers) Hash(string) (string, error) { return "", errors.New("no need") }

// Security row T09: a flood of logins hashes on so many processors, so many wait, and the others are refused
// at once.
func TestPasswordsWaitWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(Config{MaxHashing: 3})
		p.hashers = slowHashers{}
		atOnce := cap(p.hashing)
		var wg sync.WaitGroup
		start := time.Now()
		for range atOnce + 3 {
			wg.Go(func() {
				leave, err := p.enter()
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				if a, err := p.check(t.Context(), "x", "y"); err != nil || a.verdict != djangocompat.PasswordRight {
					t.Errorf("check = %v, %v", a, err)
				}
			})
		}
		synctest.Wait()
		if _, err := p.enter(); !errors.Is(err, ErrBusy) {
			t.Errorf("one more: %v, want ErrBusy", err)
		}
		if len(p.hashing) != atOnce {
			t.Errorf("%d are hashed at once, want %d", len(p.hashing), atOnce)
		}
		if runtime.GOMAXPROCS(0) > 1 && !busy.Some() {
			t.Error("nobody is told that processors are busy")
		}
		wg.Wait()
		if busy.Some() {
			t.Error("processors are still said to be busy")
		}
		if took := time.Since(start); took < time.Second || took > 4*time.Second || atOnce == 1 && took != 4*time.Second {
			t.Errorf("%d logins take %v", atOnce+3, took)
		}
		if leave, err := p.enter(); err != nil {
			t.Errorf("after the flood: %v", err)
		} else {
			leave()
		}
		if len(p.logins)+len(p.hashing) != 0 {
			t.Errorf("%d logins and %d hashes remain", len(p.logins), len(p.hashing))
		}
	})
}

func TestWhoeverCannotWaitIsNotHashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(Config{MaxHashing: 3})
		p.hashers = slowHashers{}
		for range cap(p.hashing) {
			p.hashing <- struct{}{} // somebody else's
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.check(ctx, "x", "y"); !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("check = %v, want ErrBusy and DeadlineExceeded", err)
		}
	})
}

func TestPasswordBackends(t *testing.T) {
	tests := []struct {
		name      string
		all, want []string
	}{
		{"Django's own", []string{ModelBackend}, []string{ModelBackend}},
		{"one that takes no password", []string{RemoteUserBackend}, nil},
		{"one that only stands in front", []string{"axes.backends.AxesStandaloneBackend", ModelBackend}, []string{ModelBackend}},
		{"the site's own alone", []string{"mysite.EmailBackend", RemoteUserBackend}, []string{"mysite.EmailBackend"}},
		{"in their order", []string{AllowAllUsersModelBackend, ModelBackend}, []string{AllowAllUsersModelBackend, ModelBackend}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := passwordBackends(tt.all)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}
