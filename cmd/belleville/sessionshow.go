package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// sessionShow shows a stored session.
type sessionShow struct {
	configFlag
	Cookie string `arg:"" optional:"" help:"The session key, or a Cookie header. Read from standard input where it is left out, so that nobody sees it in the list of processes."`
}

// Help is shown by --help.
func (*sessionShow) Help() string {
	return `Looks a session up where the site keeps it and prints it as JSON: its engine, when it expires, its user and the backend that logged him in, and why nobody is logged in where that is so. A session that is missing, expired, signed by another key or not readable is a failure, which says so.

Example:

  belleville session show < cookie.txt
  belleville session show 'sessionid=…'`
}

// Run implements the command.
func (c *sessionShow) Run(ctx context.Context, p *program) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	cookie := c.Cookie
	if cookie == "" {
		text, err := readItem(p.in)
		if err != nil {
			return err
		}
		cookie = string(text)
	}
	key, err := sessionKey(cookie, cfg.Django.SessionCookieName)
	if err != nil {
		return err
	}
	store, err := sessionstore.Open(ctx, cfg.Sessions(nil, slog.New(slog.DiscardHandler)))
	if err != nil {
		return toldError(err)
	}
	defer store.Close()
	text, err := show(ctx, cfg, store, key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s\n", text)
	return err
}

// sessionKey returns the session key of a Cookie header, or the key itself.
func sessionKey(cookie, name string) (string, error) {
	cookie = strings.TrimSpace(cookie)
	if len(cookie) > len("cookie:") && strings.EqualFold(cookie[:len("cookie:")], "cookie:") {
		cookie = strings.TrimSpace(cookie[len("cookie:"):])
	}
	switch {
	case cookie == "":
		return "", &usageError{"the session key is missing, as an argument and on standard input"}
	case !strings.Contains(cookie, "="):
		return cookie, nil
	}
	key, ok := djangocompat.CookieValue(cookie, name)
	if !ok {
		return "", fmt.Errorf("there is no cookie %s in what was given; see django.session_cookie_name", name)
	}
	return key, nil
}

// show describes a session as JSON.
func show(ctx context.Context, cfg *config.Config, store *sessionstore.Store, key string) ([]byte, error) {
	i, err := store.Inspect(ctx, key)
	if err != nil {
		return nil, sessionTrouble(err)
	}
	b := fmt.Appendf(nil, `{"engine":%s`, quoted(cfg.Django.SessionEngine))
	b = fmt.Appendf(b, `,"pickled":%t,"expires":`, i.Session.Data().IsPickled())
	b = appendTime(b, i.Expires)
	b = fmt.Appendf(b, `,"verdict":"%s"`, i.Reason)
	if why := refusal(i.Reason); why != "" {
		b = fmt.Appendf(b, `,"refused":%s`, quoted(why))
	}
	b = append(b, `,"user":`...)
	b = appendUser(b, i.User)
	b = append(b, `,"data":`...)
	if b, err = appendSession(b, i.Session.Data()); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// appendTime appends a time as JSON, null for none.
func appendTime(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(b, "null"...)
	}
	return append(b, quoted(at.UTC().Format(time.RFC3339))...)
}

// appendSession appends session data as people read it.
func appendSession(b []byte, data djangocompat.SessionData) ([]byte, error) {
	text, err := data.MarshalJSON()
	if err != nil {
		return nil, errors.New("the session's values refer to each other so often that there is no room to show them")
	}
	if data.IsPickled() {
		return append(b, text...), nil
	}
	return readJSON(string(text)).rendered(b), nil
}

// appendUser appends a user as JSON, null for nobody.
func appendUser(b []byte, u *djangocompat.User) []byte {
	if !u.IsAuthenticated() {
		return append(b, "null"...)
	}
	shown := map[string]any{
		"pk": u.PK, "username": u.Username, "email": u.Email, "first_name": u.FirstName, "last_name": u.LastName,
		"is_active": u.IsActive, "is_staff": u.IsStaff, "is_superuser": u.IsSuperuser, "backend": u.Backend,
	}
	for name, at := range map[string]time.Time{"last_login": u.LastLogin, "date_joined": u.DateJoined} {
		if !at.IsZero() {
			shown[name] = at.Format(time.RFC3339)
		}
	}
	for column, v := range u.Extra {
		shown["extra."+column] = fmt.Sprint(v)
	}
	text, err := djangocompat.AppendJSON(nil, shown)
	if err != nil {
		return append(b, `"not representable"`...)
	}
	return append(b, text...)
}
