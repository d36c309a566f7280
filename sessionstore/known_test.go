package sessionstore

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

func TestKnown(t *testing.T) {
	row := func(change func(*djangocompat.User)) *djangocompat.User {
		u := &djangocompat.User{PK: djangocompat.IntPK(1), Username: "alice", IsActive: true, Extra: map[string]any{"theme": "dark"}}
		change(u)
		return u
	}
	same := func(*djangocompat.User) {}
	tests := []struct {
		name    string
		again   *djangocompat.User
		backend string
		want    bool
	}{
		{"the same row is the same User", row(same), "b", true},
		{"another name is another User", row(func(u *djangocompat.User) { u.Username = "bob" }), "b", false},
		{"another backend is another User", row(same), "c", false},
		{"another further column is another User", row(func(u *djangocompat.User) { u.Extra["theme"] = "light" }), "b", false},
		{"a later login is another User", row(func(u *djangocompat.User) { u.LastLogin = time.Unix(1, 0) }), "b", false},
		{"no longer staff is another User", row(func(u *djangocompat.User) { u.IsStaff = true }), "b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKnown()
			first := k.share(row(same), "b")
			again := k.share(tt.again, tt.backend)
			if got := first == again; got != tt.want {
				t.Errorf("the same User = %v, want %v", got, tt.want)
			}
			if again.Backend != tt.backend || again.Username != tt.again.Username {
				t.Errorf("User = %+v, want %s by %s", again, tt.again.Username, tt.backend)
			}
			runtime.KeepAlive(first)
		})
	}
}

func TestKnownForgets(t *testing.T) {
	k := newKnown()
	kept := k.share(&djangocompat.User{PK: djangocompat.IntPK(-1)}, "b")
	for i := range 20_000 {
		k.share(&djangocompat.User{PK: djangocompat.IntPK(int64(i)), Username: fmt.Sprint(i)}, "b")
		if i%1000 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
	k.mu.Lock()
	k.rebuildLocked()
	slots, used := len(k.slots), k.used
	k.mu.Unlock()
	if slots != fewestSlots || used != 1 {
		t.Errorf("%d slots with %d users, want %d with the one whom somebody holds", slots, used, fewestSlots)
	}
	if again := k.share(&djangocompat.User{PK: djangocompat.IntPK(-1)}, "b"); again != kept {
		t.Error("a User whom somebody holds was forgotten")
	}
}

func TestKnownKeepsAllWhomSomebodyHolds(t *testing.T) {
	k := newKnown()
	held := make([]*djangocompat.User, 5000)
	for i := range held {
		held[i] = k.share(&djangocompat.User{PK: djangocompat.TextPK(fmt.Sprint("u", i))}, "b")
	}
	for i, u := range held {
		if again := k.share(&djangocompat.User{PK: u.PK}, "b"); again != u {
			t.Fatalf("user %d is another one", i)
		}
	}
}
