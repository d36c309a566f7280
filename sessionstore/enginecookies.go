package sessionstore

import (
	"context"

	"github.com/belleville/belleville/djangocompat"
)

// cookieSalt is that of signed cookies, whatever the class of a site's SessionStore is called.
const cookieSalt = "django.contrib.sessions.backends.signed_cookies"

// cookieEngine keeps sessions in the visitors' cookies: the key is the session, so that each save makes a new
// one, and what was given away cannot be taken back. An end of its own in the session does not count: the
// cookie lives as long as SESSION_COOKIE_AGE says. Python: django.contrib.sessions.backends.signed_cookies.
type cookieEngine struct{ s *Store }

func (e cookieEngine) load(_ context.Context, key string) (djangocompat.SessionData, loadResult, error) {
	data, err := e.s.keyed.Load().codec.DecodeMaxAge(key, e.s.cfg.CookieAge)
	return data, loadResultOf(err), nil
}

func (e cookieEngine) save(_ context.Context, session *djangocompat.Session, _ djangocompat.SaveMode) (string, error) {
	return e.s.keyed.Load().codec.EncodeCookie(session.Data())
}

func (e cookieEngine) replace(ctx context.Context, _ string, session *djangocompat.Session) (string, error) {
	return e.save(ctx, session, djangocompat.MustCreate)
}

func (cookieEngine) delete(context.Context, string) error { return nil }

// exists is false, as in Django: whether a cookie is around, nobody knows.
func (cookieEngine) exists(context.Context, string) (bool, error) { return false, nil }

func (cookieEngine) clearExpired(context.Context) (int64, error) { return 0, nil }
