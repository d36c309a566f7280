// Package token knows visitors by tokens, beside or instead of a session: those of Django REST framework's
// authtoken, of simplejwt, values that django.core.signing has signed, and tickets, which let in once.
//
// Start with [New], which makes an [Authenticator] of [Scheme]s; its Wrap goes inside of authmw.Stack:
//
//	tokens, err := token.New([]token.Scheme{{Name: "api", Verifier: jwt}}, token.Config{})
//	app = authmw.Stack(tokens.Wrap(app), store, authmw.Config{})
//
// A consumer finds the user in its Scope, as with a session, and with [Of] and [Claims] how the visitor was known
// and what the token said.
//
// A token is looked for only where its Scheme says. Its size is bounded before anything is done with it, its
// signature is checked before it is read, and nothing of it is in an error, a log or a metric. Whatever is wrong
// with it is a [Refusal], never an error page; a database or a key server that is away is 503, and makes nobody
// anonymous.
package token
