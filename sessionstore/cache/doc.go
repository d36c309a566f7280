// Package cache reads and writes the caches of a Django site as Django's own clients do: the same keys, the
// same values, the same flags. It knows Redis (Django's own backend, and django-redis), memcached and files;
// the cache in a database table is package sessionstore's, which has the database.
//
// Start with [Open]. A [Cache] holds pickles: what Django stores otherwise, an int in Redis for one, comes out
// as the pickle that it would be. A value is read up to a bound, whatever is stored, and never unpickled here.
//
// A cache may be away: Open does not wait for it, and whoever asks meanwhile gets an [Error], which is
// [ErrUnavailable].
package cache
