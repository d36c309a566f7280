// Package sessionstore finds out who a visitor is, from the tables of a Django site: sessions from
// django_session, users from auth_user or the site's own user model, on PostgreSQL and on SQLite.
//
// Start with [Open]. [Store.Load] returns the session of a cookie, [Store.User] the user who is logged in
// with it; both are what Django would say. A Store is the djangocompat.Backend of the sessions that it
// loads, so they can be saved, flushed and cycled; [Store.Login] and [Store.Logout] do what Django's do.
//
// Lookups that arrive together are one query: what waited while the last query was out goes as one
// "session_key = ANY(…)". Nothing waits for a query to fill up.
//
// The database may be away: Open then tries again in the background, and whoever asks meanwhile gets
// [ErrUnavailable], never a wrong answer. Reading never writes: a session that Django would flush because
// its password has changed is anonymous here, and its row stays.
package sessionstore
