package demo

import (
	"errors"
	"net/http"
	"time"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

const (
	// sessionCookie is SESSION_COOKIE_NAME, cookieAge SESSION_COOKIE_AGE: Django's defaults.
	sessionCookie = "sessionid"
	cookieAge     = 14 * 24 * time.Hour

	// loggedInKey is where a session has the time of its login.
	loggedInKey = "demo_logged_in"
)

// loginPage is what login.html shows.
type loginPage struct {
	Accounts []account
	Room     string
	Username string
	Problem  string
}

func (s *site) showLogin(w http.ResponseWriter, r *http.Request) {
	s.render(w, "login.html", loginPage{Accounts: accounts(), Room: roomOf(r)})
}

// login does what django.contrib.auth.views.LoginView does.
func (s *site) login(w http.ResponseWriter, r *http.Request) {
	page := loginPage{Accounts: accounts(), Room: roomOf(r), Username: r.PostFormValue("username")}
	if !s.mayTry() {
		page.Problem = "Too many attempts at once. Try again in a few seconds."
		s.render(w, "login.html", page)
		return
	}
	user, err := s.sessions.Authenticate(r.Context(), page.Username, r.PostFormValue("password"))
	if errors.Is(err, sessionstore.ErrBadLogin) {
		page.Problem = "That username and password do not belong together. Both are case-sensitive."
		s.render(w, "login.html", page)
		return
	}
	if err == nil {
		err = s.logIn(w, r, user)
	}
	if err != nil {
		s.fail(w, "log in", err)
		return
	}
	http.Redirect(w, r, "/chat/"+page.Room+"/", http.StatusSeeOther)
}

// mayTry reports whether one more password may be tried now.
func (s *site) mayTry() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins.allow(time.Now())
}

// logIn makes the visitor's session that of user, and gives the browser its cookie.
func (s *site) logIn(w http.ResponseWriter, r *http.Request, user *djangocompat.User) error {
	ctx, scope := r.Context(), consumers.ScopeFrom(r.Context())
	session := scope.Session.Clone() // that of the Scope may be shared with other connections
	before := session.Key()
	if err := s.sessions.Login(ctx, session, user); err != nil {
		return err
	}
	session.Set(loggedInKey, time.Now().UTC().Format(time.RFC3339))
	if err := session.Save(ctx); err != nil {
		return err
	}
	if before != session.Key() {
		s.endSockets(before)
	}
	cookie := djangocompat.Cookie{Name: sessionCookie, Value: session.Key(), Path: "/", HTTPOnly: true, SameSite: "Lax"}
	return setCookie(w, cookie.WithMaxAge(cookieAge, time.Now()))
}

// logout does what django.contrib.auth.views.LogoutView does, and ends the session's sockets.
func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.logOut(w, r); err != nil {
		s.fail(w, "log out", err)
		return
	}
	http.Redirect(w, r, "/login/", http.StatusSeeOther)
}

func (s *site) logOut(w http.ResponseWriter, r *http.Request) error {
	ctx, scope := r.Context(), consumers.ScopeFrom(r.Context())
	session := scope.Session.Clone()
	before := session.Key()
	if before == "" {
		return nil // logged out already
	}
	if err := s.sessions.Logout(ctx, session); err != nil {
		return err
	}
	cookie := djangocompat.Cookie{Name: sessionCookie, Path: "/", SameSite: "Lax"}
	s.endSockets(before)
	return setCookie(w, cookie.Deleted())
}

// endSockets sees that the sockets of the session that had this key are closed, in all tabs. They would be all the
// same, since the database is watched, but a moment later.
func (s *site) endSockets(key string) { s.live.SessionTouched(live.HashSession(key), time.Now()) }

// setCookie adds a cookie to the answer.
func setCookie(w http.ResponseWriter, cookie djangocompat.Cookie) error {
	value, err := cookie.Header()
	if err != nil {
		return err
	}
	w.Header().Add("Set-Cookie", value)
	return nil
}
