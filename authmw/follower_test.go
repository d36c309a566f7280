package authmw_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/sessionstore"
)

// steps is a Follower that notes what a Scope was when it was told.
type steps []string

func (st *steps) note(what string, s *consumers.Scope) {
	*st = append(*st, fmt.Sprintf("%s %q", what, s.User.Username))
}

func (st *steps) Moving(s *consumers.Scope) { st.note("moving", s) }
func (st *steps) Moved(s *consumers.Scope)  { st.note("moved", s) }

func TestAFollowerIsToldBeforeAndAfter(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	var told steps
	inner := enter(t, s.stack(authmw.Config{Follower: &told}), visit())
	if err := authmw.Login(t.Context(), inner, s.user(1)); err != nil {
		t.Fatal(err)
	}
	if err := authmw.Login(t.Context(), inner, s.user(99)); err == nil {
		t.Error("somebody who does not exist was logged in")
	}
	if err := authmw.Logout(t.Context(), inner); err != nil {
		t.Fatal(err)
	}
	want := steps{`moving ""`, `moved "alice"`, `moving "alice"`, `moved "alice"`, `moving "alice"`, `moved ""`}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
