// Package sessionstore finds out who a visitor is, from what a Django site keeps: sessions from wherever its
// SESSION_ENGINE has them, users from auth_user or the site's own user model, on PostgreSQL and on SQLite.
//
// Start with [Open]. [Store.Load] returns the session of a cookie, [Store.User] the user who is logged in
// with it; both are what Django would say. A Store is the djangocompat.Backend of the sessions that it
// loads, so they can be saved, flushed and cycled; [Store.Login] and [Store.Logout] do what Django's do.
//
// Lookups that arrive together are one query: what waited while the last query was out goes as one
// "session_key = ANY(…)", and likewise in a cache. Nothing waits for a query to fill up.
//
// All of Django's engines are here, each with Django's own keys and values: [EngineDB], [EngineCachedDB],
// [EngineCache] on the caches of package sessionstore/cache and on the one in a table, [EngineFile] and
// [EngineSignedCookies]. A save never brings back what was deleted meanwhile, and changes only the keys that
// were changed here. That does not hold for signed cookies, where nothing is stored: the key of such a session
// is the session, another one after each save, and whoever kept an older one has that.
//
// The database may be away: Open then tries again in the background, and whoever asks meanwhile gets
// [ErrUnavailable], never a wrong answer. So it is with a cache. Reading changes no session: one that Django
// would flush because its password has changed is anonymous here, and stays; one that has expired is left to
// [Store.ClearExpired]. EngineCachedDB alone puts what it read from the table into the cache, as Django does.
package sessionstore
