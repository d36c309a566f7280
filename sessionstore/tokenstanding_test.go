package sessionstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestTokenStandings(t *testing.T) {
	ground := func(pk int64, edit func(*sessionstore.TokenGround)) sessionstore.TokenGround {
		g := sessionstore.TokenGround{PK: djangocompat.IntPK(pk), Backend: "token.a"}
		if edit != nil {
			edit(&g)
		}
		return g
	}
	const table = "authtoken_token"
	tests := []struct {
		name   string
		ground sessionstore.TokenGround
		want   sessionstore.Reason
	}{
		{"a user", ground(7, nil), sessionstore.LoggedIn},
		{"one who is not there", ground(70, nil), sessionstore.NoSuchUser},
		{"one who is not active", ground(8, nil), sessionstore.Inactive},
		{"one of those who may be", ground(8, func(g *sessionstore.TokenGround) { g.AdmitsInactive = true }), sessionstore.LoggedIn},
		{"a key", ground(7, func(g *sessionstore.TokenGround) { g.Table, g.Key = table, "4261b2934f" }), sessionstore.LoggedIn},
		{"a key that was deleted", ground(7, func(g *sessionstore.TokenGround) { g.Table, g.Key = table, "gone" }), sessionstore.TokenRevoked},
		{"a key that is another's", ground(7, func(g *sessionstore.TokenGround) { g.Table, g.Key = table, "4528bd72dd" }), sessionstore.TokenRevoked},
		{"a key of a kind that is not taken any more", ground(7, func(g *sessionstore.TokenGround) { g.Table, g.Key = "keys", "4261b2934f" }), sessionstore.TokenRevoked},
		{"an id", ground(7, func(g *sessionstore.TokenGround) { g.JTI = "good" }), sessionstore.LoggedIn},
		{"one in the blacklist", ground(7, func(g *sessionstore.TokenGround) { g.JTI = "bad" }), sessionstore.TokenRevoked},
		{"one that no table can hold", ground(7, func(g *sessionstore.TokenGround) { g.JTI = "a\x00" }), sessionstore.LoggedIn},
		{"the sum of the password", ground(7, func(g *sessionstore.TokenGround) { g.PasswordSum = "D189514B36275B5C49334DB961F35162" }), sessionstore.LoggedIn},
		{"that of an older one", ground(7, func(g *sessionstore.TokenGround) { g.PasswordSum = "D189514B36275B5C49334DB961F35163" }), sessionstore.HashMismatch},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		store := tokenBed(t, b)
		var grounds []sessionstore.TokenGround
		for _, tt := range tests {
			grounds = append(grounds, tt.ground)
		}
		all, err := store.TokenStandings(t.Context(), grounds)
		if err != nil {
			t.Fatal(err)
		}
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if all[i].Reason != tt.want || all[i].User.IsAuthenticated() != (tt.want == sessionstore.LoggedIn) {
					t.Errorf("got %v of %q, want %v", all[i].Reason, all[i].User.Username, tt.want)
				}
			})
		}
		known, err := store.UserByField(t.Context(), "pk", int64(7), "token.a")
		if err != nil || all[0].User != known.User {
			t.Errorf("the user is another one than a handshake finds (%v)", err)
		}
	})
}

func TestTheGroundOfATokenDoesNotRevealItsKey(t *testing.T) {
	g := sessionstore.TokenGround{Key: "4261b2934f"}
	if text := fmt.Sprintf("%v %+v %#v %s", g, &g, g, g); strings.Contains(text, g.Key) {
		t.Errorf("it is printed as %s", text)
	}
}
