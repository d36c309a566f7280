package sessionstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// loginDifferences are the login/ cases where Belleville does otherwise, and why.
var loginDifferences = map[string]string{
	"two_backends_no_backend_given": "nothing is done before the error; Django has cycled the key by then",
	"id_bad_in_session":             "a session of somebody who cannot be is flushed; Django raises",
	"update_session_auth_hash":      "nothing here changes a password",
}

func TestLoginLikeDjango(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		vectors := readVectors(t, "login/")
		if len(vectors) != 43 {
			t.Errorf("%d cases, want 43", len(vectors))
		}
		for _, v := range vectors {
			t.Run(v.Name, func(t *testing.T) { v.checkLogin(t, b) })
		}
	})
}

func (v vector) checkLogin(t *testing.T, b *bed) {
	b.fill(t, v, "")
	s := open(t, v.config(b, false))
	v.putBefore(t, b)
	session := load(t, s, orEmpty(v.Input.Cookie))
	err := v.act(t.Context(), s, session)
	_, name, _ := strings.Cut(v.Name, "/")
	name, _, _ = strings.Cut(name, " @")
	if reason := loginDifferences[name]; reason != "" {
		t.Log(reason)
	}
	switch name {
	case "two_backends_no_backend_given":
		if !errors.Is(err, sessionstore.ErrManyBackends) || session.Key() != v.Input.KeyBefore {
			t.Errorf("Login = %v, key %q, want ErrManyBackends and the old key", err, session.Key())
		}
		return
	case "id_bad_in_session":
		id, _ := session.GetString(djangocompat.AuthUserIDKey)
		if err != nil || session.Key() == v.Input.KeyBefore || id != v.Input.LoginUser || session.Len() != 3 {
			t.Errorf("Login = %v, key %q, user %q, %d values, want a fresh session of %s", err, session.Key(), id, session.Len(), v.Input.LoginUser)
		}
		return
	case "update_session_auth_hash":
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	v.checkRows(t, b, session)
	if want := v.Expect.LastLogin; want != nil {
		u := b.value(t, "SELECT CAST(last_login AS text) FROM auth_user WHERE id = "+v.Input.LoginUser).(string)
		if got := strings.TrimSuffix(u, "+00"); got != djangoTime(*want) {
			t.Errorf("last_login = %s, want %s", got, djangoTime(*want))
		}
	}
}

// putBefore stores the session that the case begins with.
func (v vector) putBefore(t *testing.T, b *bed) {
	if v.Input.KeyBefore == "" {
		return
	}
	data, err := djangocompat.ParseSessionData(v.Input.SessionBefore)
	if err != nil {
		t.Fatal(err)
	}
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(v.Input.Settings.SecretKey), Now: func() time.Time { return v.Input.Now }}
	text, err := codec.Encode(data)
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, "INSERT INTO django_session VALUES ($1, $2, $3)", v.Input.KeyBefore, text, djangoTime(v.Input.Now.Add(time.Hour)))
}

func (v vector) act(ctx context.Context, s *sessionstore.Store, session *djangocompat.Session) error {
	switch v.Input.Action {
	case "login":
		pk, err := djangocompat.ParseIntPK(v.Input.LoginUser)
		if err != nil {
			return err
		}
		return s.Login(ctx, session, &djangocompat.User{PK: pk, Backend: v.Input.Backend})
	case "logout":
		return s.Logout(ctx, session)
	case "flush":
		return session.Flush(ctx)
	case "cycle_key":
		return session.CycleKey(ctx)
	case "update_session_auth_hash":
		return nil
	default:
		return fmt.Errorf("unknown action %q", v.Input.Action)
	}
}

// checkRows compares what is stored with what Django left.
func (v vector) checkRows(t *testing.T, b *bed, session *djangocompat.Session) {
	if got, want := b.count(t), int64(len(v.Expect.Rows)); got != want {
		t.Fatalf("%d rows, want %d", got, want)
	}
	for _, row := range v.Expect.Rows {
		if kept := row.Key == v.Input.KeyBefore; kept != (session.Key() == v.Input.KeyBefore) || session.Key() == "" {
			t.Errorf("key = %q, was %q, kept by Django = %v", session.Key(), v.Input.KeyBefore, kept)
		}
		got := b.value(t, "SELECT session_data FROM django_session WHERE session_key = '"+session.Key()+"'").(string)
		codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys(v.Input.Settings.SecretKey)}
		data, err := codec.Decode(got)
		if err != nil {
			t.Fatal(err)
		}
		var want, have any
		if err := errors.Join(json.Unmarshal(row.Data, &want), json.Unmarshal(data.JSON(), &have)); err != nil {
			t.Fatal(err)
		}
		if a, b := mustJSON(t, have), mustJSON(t, want); a != b {
			t.Errorf("session data = %s, want %s", a, b)
		}
		expires := b.value(t, "SELECT CAST(expire_date AS text) FROM django_session").(string)
		if got := strings.TrimSuffix(expires, "+00"); got != djangoTime(row.ExpireDate) {
			t.Errorf("expire_date = %s, want %s", got, djangoTime(row.ExpireDate))
		}
	}
}

// addUser puts a user into auth_user who has the pk 1, or another one.
func (b *bed) addUser(t testing.TB, pk int, username, password string, active any) {
	t.Helper()
	b.exec(t, "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) "+
		"VALUES ($1, $2, false, $3, '', '', '', false, $4, $5)", pk, password, username, active, "2024-01-02 03:04:05.5")
}

// cheap is a password of few iterations.
func cheap(password string) string {
	return djangocompat.HashPassword(password, djangocompat.PasswordConfig{Iterations: 2})
}

func TestAuthenticate(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		b.addUser(t, 2, "off", cheap("wonderland"), false)
		b.addUser(t, 3, "unusable", djangocompat.UnusablePassword(), true)
		b.addUser(t, 4, "argon", "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA", true)
		b.addUser(t, 5, "empty", "", true)
		tests := []struct {
			name, username, password string
			want                     string
		}{
			{"the right password is alice", "alice", "wonderland", "1"},
			{"a wrong password is nobody", "alice", "Wonderland", ""},
			{"no password is nobody", "alice", "", ""},
			{"a name is case-sensitive", "Alice", "wonderland", ""},
			{"an unknown name is nobody", "mallory", "wonderland", ""},
			{"an inactive user is nobody", "off", "wonderland", ""},
			{"an unusable password is nobody's", "unusable", "!", ""},
			{"an algorithm that is not known lets nobody in", "argon", "wonderland", ""},
			{"an empty hash lets nobody in", "empty", "", ""},
			{"a NUL is in no name", "alice\x00", "wonderland", ""},
			{"bytes that are no UTF-8 are in no name", "\xff", "wonderland", ""},
			{"a password has an end", "alice", strings.Repeat("wonderland", 1000), ""},
		}
		cfg := b.config()
		cfg.Passwords.Iterations = 2
		s := open(t, cfg)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				u, err := s.Authenticate(t.Context(), tt.username, tt.password)
				if (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, sessionstore.ErrBadLogin) {
					t.Fatalf("Authenticate = %v, %v, want %q", u, err, tt.want)
				}
				if err == nil && (u.PK.String() != tt.want || u.Backend != sessionstore.ModelBackend) {
					t.Errorf("user %s by %s, want %s by ModelBackend", u.PK, u.Backend, tt.want)
				}
			})
		}
		t.Run("a backend that does not mind lets an inactive user in", func(t *testing.T) {
			cfg := cfg
			cfg.AuthenticationBackends = []string{sessionstore.ModelBackend, sessionstore.AllowAllUsersModelBackend}
			u, err := open(t, cfg).Authenticate(t.Context(), "off", "wonderland")
			if err != nil || u.Backend != sessionstore.AllowAllUsersModelBackend {
				t.Errorf("Authenticate = %v, %v, want off by AllowAllUsersModelBackend", u, err)
			}
		})
	})
}

func TestLoginAndOut(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		cfg := b.config()
		cfg.Passwords.Iterations = 2
		s := open(t, cfg)
		alice, err := s.Authenticate(t.Context(), "alice", "wonderland")
		if err != nil {
			t.Fatal(err)
		}
		session := load(t, s, "")
		if err := s.Login(t.Context(), session, alice); err != nil {
			t.Fatal(err)
		}
		t.Run("who has logged in is known by the key", func(t *testing.T) {
			u, reason, err := s.Verdict(t.Context(), load(t, s, session.Key()))
			if err != nil || u.Username != "alice" || reason != sessionstore.LoggedIn || u.LastLogin.IsZero() {
				t.Errorf("Verdict = %v, %v, %v, want alice, who has just logged in", u, reason, err)
			}
		})
		t.Run("a changed password ends the login, and the row stays", func(t *testing.T) {
			b.exec(t, "UPDATE auth_user SET password = $1", cheap("queen of hearts"))
			u, reason, err := s.Verdict(t.Context(), load(t, s, session.Key()))
			if err != nil || u.IsAuthenticated() || reason != sessionstore.HashMismatch || b.count(t) != 1 {
				t.Errorf("Verdict = %v, %v, %v with %d rows, want nobody, HashMismatch, 1", u, reason, err, b.count(t))
			}
		})
		t.Run("logging in again drops the data of the old password", func(t *testing.T) {
			session.Set("cart", int64(3))
			old := session.Key()
			if err := s.Login(t.Context(), session, alice); err != nil {
				t.Fatal(err)
			}
			if session.Has("cart") || session.Key() == old || b.count(t) != 1 {
				t.Errorf("cart kept = %v, key kept = %v, %d rows, want a new session", session.Has("cart"), session.Key() == old, b.count(t))
			}
		})
		t.Run("logging out removes the row", func(t *testing.T) {
			key := session.Key()
			if err := s.Logout(t.Context(), session); err != nil {
				t.Fatal(err)
			}
			if u, err := s.User(t.Context(), load(t, s, key)); err != nil || u.IsAuthenticated() || b.count(t) != 0 {
				t.Errorf("User = %v, %v with %d rows, want nobody and none", u, err, b.count(t))
			}
		})
		t.Run("nobody else can be logged in", func(t *testing.T) {
			for _, u := range []*djangocompat.User{nil, {}, {PK: djangocompat.IntPK(99)}} {
				if err := s.Login(t.Context(), load(t, s, ""), u); !errors.Is(err, sessionstore.ErrNoSuchUser) {
					t.Errorf("Login(%v) = %v, want ErrNoSuchUser", u, err)
				}
			}
			if b.count(t) != 0 {
				t.Errorf("%d rows, want none", b.count(t))
			}
		})
	})
}
