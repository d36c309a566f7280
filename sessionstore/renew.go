package sessionstore

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/djangocompat"
)

// Renew moves a session that one of SECRET_KEY_FALLBACKS keeps logged in to a new key, with a hash that the
// present SECRET_KEY makes; any other session stays as it is. The browser must then get the new cookie, so it
// is not for WebSockets. Python: the end of django.contrib.auth.get_user, since Django 4.1.8.
func (s *Store) Renew(ctx context.Context, session *djangocompat.Session) error {
	c, row, found, err := s.claimed(ctx, session)
	if err == nil && s.verdictOf(c, row, found, session.Data()).reason == LoggedInByFallback {
		session.Set(djangocompat.AuthHashKey, s.authHash(row))
		err = session.CycleKey(ctx)
	}
	if err != nil {
		return fmt.Errorf("renew login: %w", err)
	}
	return nil
}
