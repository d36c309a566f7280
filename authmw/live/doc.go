// Package live makes an open connection follow its visitor's login: a socket ends when its session does, however
// that came about in Django or elsewhere: a logout, a password that was changed, a user who was made inactive or
// deleted, a session that expired.
//
// Start with [New], put [Live.Watch] inside of what recognises visitors, and let [Live.Run] run:
//
//	sessions := live.New(store, live.Config{})
//	app = sessions.Arriving(authmw.Stack(sessions.Watch(app), store, authmw.Config{}))
//	go sessions.Run(ctx)
//
// Every session of an open connection is asked about again and again, many of them in one query, and the answer is
// the one that a new handshake would get. Who learns sooner that a session or a user may have changed, as from a
// trigger in the database, says so with [Live.SessionTouched] and [Live.UserTouched], and it is asked about at once.
//
// While the database cannot say, nothing ends: a verdict is never guessed.
package live
