package pglayer

import "strings"

// notifyChannel is what the trigger of channels_postgres notifies.
const notifyChannel = "channels_postgres_messages"

// statements are the SQL that the layer runs, in which the tables have their schema. All times are the database's.
type statements struct {
	missing, lock, receiverLock, notify         string
	send, room, sendPlain, insert, trim         string
	register, unregister                        string
	fetch, remove, take, putBack                string
	pulse                                       string
	sweepMessages, sweepMemberships             string
	nodes, alive, bury, direct, dropMemberships string
}

// newStatements writes the statements. The schema is quoted already, or "".
func newStatements(schema string) statements {
	if schema != "" {
		schema += "."
	}
	in := strings.NewReplacer("{message}", schema+"channels_postgres_message", "{member}", schema+"channels_postgres_groupchannel",
		"{notify}", "'"+notifyChannel+"'").Replace
	var s statements
	s.writeBeginning(in)
	s.writeSending(in)
	s.writeMembership(in)
	s.writeRows(in)
	return s
}

// writeBeginning writes what is run on a connection that begins.
func (s *statements) writeBeginning(in func(string) string) {
	s.missing = in(`SELECT to_regclass('{message}') IS NULL, to_regclass('{member}') IS NULL,
			NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
				WHERE t.tgrelid = to_regclass('{message}') AND t.tgenabled <> 'D' AND p.prosrc LIKE '%' || {notify} || '%'),
			pg_is_in_recovery()`)
	s.lock = `SELECT pg_advisory_lock_shared($1::int4, $2::int4)`
	s.receiverLock = `SELECT pg_try_advisory_lock_shared($1)`
	s.notify = in(`SELECT pg_notify({notify}, $1)`)
	s.pulse = `SELECT extract(epoch FROM clock_timestamp())::float8, pg_notification_queue_usage()`
}

// writeSending writes what puts messages in.
func (s *statements) writeSending(in func(string) string) {
	// Parameters: groups, channels, messages, the first number, our prefix, that of all nodes, expiry, whether nodes
	// get short notifications without a row. Answer: our own channels that are members by name.
	s.send = in(`WITH sends AS (
				SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS s(group_key, channel, message, n)
			), targets AS (
				SELECT DISTINCT s.n, g.channel::text AS channel FROM sends s JOIN {member} g ON g.group_key = s.group_key WHERE s.group_key <> ''
				UNION ALL SELECT n, channel FROM sends WHERE channel <> ''
			), inserted AS (
				INSERT INTO {message} (channel, message, expire)
				SELECT t.channel, s.message, now() + $7::interval FROM targets t JOIN sends s USING (n)
				WHERE left(t.channel, length($5)) <> $5 AND NOT ($8 AND left(t.channel, length($6)) = $6) ORDER BY n
			), others AS (
				SELECT n, channel, row_number() OVER (ORDER BY n) AS number FROM targets
				WHERE $8 AND left(channel, length($6)) = $6 AND left(channel, length($5)) <> $5
				OR left(channel, length($5)) = $5
			)
			SELECT o.n, CASE WHEN left(o.channel, length($5)) = $5 THEN o.channel ELSE '' END,
				CASE WHEN left(o.channel, length($5)) <> $5 THEN pg_notify({notify}, -($4::bigint + o.number) || ':' || o.channel || ':' ||
				replace(encode(s.message, 'base64'), E'\n', '') || ':' || extract(epoch FROM now() + $7::interval))::text END
			FROM others o JOIN sends s USING (n) ORDER BY o.number`)
	// Parameters: channel, capacity, the halves of the lock of a receiver of Django's. Where there is such a receiver, the
	// rows that are there have been received, and it takes any number.
	room := `(SELECT count(*) FROM (SELECT FROM {message} WHERE channel = $1::text AND expire > now() LIMIT $2::int) w) < $2::int
			OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
				AND classid = $3::bigint::oid AND objid = $4::bigint::oid
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
	s.room = in(`SELECT ` + room)
	// The same, with message and expiry.
	s.sendPlain = in(`INSERT INTO {message} (channel, message, expire) SELECT $1::text, $5::bytea, now() + $6::interval
			WHERE ` + room + ` RETURNING id`)
	// A row that is put in with more than its message, so that its notification names it alone, and trim, which
	// takes the rest away before anybody sees it.
	s.insert = in(`WITH targets AS (
				SELECT DISTINCT channel::text AS channel FROM {member} WHERE group_key = $1::text AND $1::text <> ''
				UNION ALL SELECT $2::text WHERE $2::text <> ''
			), inserted AS (
				INSERT INTO {message} (channel, message, expire)
				SELECT channel, $3::bytea || decode(repeat('00', 8000), 'hex'), now() + $4::interval FROM targets
				WHERE left(channel, length($5)) <> $5 RETURNING id
			)
			SELECT id, '' FROM inserted UNION ALL SELECT 0, channel FROM targets WHERE left(channel, length($5)) = $5`)
	s.trim = in(`UPDATE {message} SET message = substring(message FROM 1 FOR $2) WHERE id = ANY($1)`)
}

// writeMembership writes what is about memberships.
func (s *statements) writeMembership(in func(string) string) {
	// Parameters: group keys, channels, expiry.
	s.register = in(`WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[]) AS w(group_key, channel)), known AS (
				UPDATE {member} m SET expire = now() + $3::interval FROM wanted w
				WHERE m.group_key = w.group_key AND m.channel = w.channel RETURNING m.group_key, m.channel)
			INSERT INTO {member} (group_key, channel, expire)
			SELECT group_key, channel, now() + $3::interval FROM wanted w
			WHERE NOT EXISTS (SELECT FROM known k WHERE k.group_key = w.group_key AND k.channel = w.channel)`)
	s.unregister = in(`DELETE FROM {member} m USING unnest($1::text[], $2::text[]) AS w(group_key, channel)
			WHERE m.group_key = w.group_key AND m.channel = w.channel`)
	s.sweepMemberships = in(`DELETE FROM {member} WHERE expire < now()`)
	// The ids of the nodes that have memberships with the number of these, and the locks of those that live.
	s.nodes = in(`SELECT substring(channel FROM length($1) + 1 FOR $2::int), count(DISTINCT (group_key, channel)) FROM {member} WHERE left(channel, length($1)) = $1 GROUP BY 1`)
	s.alive = `SELECT objid::int8 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = $1::bigint::oid
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	s.bury = in(`DELETE FROM {member} WHERE left(channel, length($1)) = $1`)
	// Memberships of our channels by their own names.
	s.direct = in(`SELECT group_key, channel FROM {member} WHERE left(channel, length($1)) = $1
			AND substring(channel FROM length($1) + 1 FOR 2) NOT IN ('g.', 'h.')`)
	s.dropMemberships = in(`DELETE FROM {member} WHERE channel = ANY($1)`)
}

// writeRows writes what takes messages out.
func (s *statements) writeRows(in func(string) string) {
	s.fetch = in(`DELETE FROM {message} WHERE id = ANY($1) RETURNING id, message, extract(epoch FROM expire - now())::float8`)
	s.remove = in(`DELETE FROM {message} WHERE id = ANY($1)`)
	s.take = in(`WITH taken AS (DELETE FROM {message} WHERE id IN (
				SELECT id FROM {message} WHERE channel = $1 AND expire > now() ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
				RETURNING id, message, expire)
			SELECT id, message, extract(epoch FROM expire - now())::float8 FROM taken ORDER BY id`)
	s.putBack = in(`INSERT INTO {message} (id, channel, message, expire) VALUES ($1, $2, $3, now() + $4::interval)`)
	s.sweepMessages = in(`DELETE FROM {message} WHERE id IN (
			SELECT id FROM {message} WHERE expire < now() LIMIT 5000 FOR UPDATE SKIP LOCKED)`)
}
