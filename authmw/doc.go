// Package authmw knows who connects, as Channels' middleware does: cookie, session, user, origin.
//
// Start with [Stack], which wraps an Application so that its Scope has the visitor's cookies, session and
// user, and [AllowedHosts] around that, which refuses the pages of other sites before anybody is looked up:
//
//	app = authmw.Stack(app, store, authmw.Config{})
//	app = authmw.AllowedHosts(app, hosts)
//
// [Require] lets only some visitors through: by what they are, or by a permission or a group of Django's. Custom
// authentication is an ordinary middleware: an Application that completes a clone of the Scope for the one that
// it wraps.
//
// [Authenticate], [Login], [Logout] and [GetUser] are for consumers. The session of an HTTP request is saved when
// its response begins, and the cookie goes with it; a WebSocket saves nothing by itself, and a [Handover] takes the
// cookie of its login to the browser. [CSRF] keeps other sites' forms away from HTTP requests.
//
// A database that cannot say who somebody is makes nobody anonymous: the client is answered 503 with
// Retry-After.
package authmw
