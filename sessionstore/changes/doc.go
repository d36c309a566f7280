// Package changes hears of sessions and users that a Django site has changed, as soon as the change is committed.
//
// Start with [Postgres] or [SQLite], and let [Listener.Run] run. On PostgreSQL optional triggers tell (the set
// live_sessions of "belleville migrate"); a connection of its own LISTENs, and is proven to hear by probes that go
// over another connection: a pooler in between, or a link that swallows, looks healthy to LISTEN and is deaf. On
// SQLite the file is asked whether anything in it has changed.
//
// What may have been missed is never hidden: after each cut it is said that anything may have changed. A payload
// names a session or a user by a hash, so that whoever else listens learns nothing.
package changes
