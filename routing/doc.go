// Package routing finds the consumer for a connection: by its path, in the syntax of Django's path() and
// re_path(), by its protocol, or by the name of a channel.
//
// Start with [URLRouter], [Path] and [RePath].
//
// A router never reverses a URL, and never matches a path that Django would not match, or the other way
// round: a pattern that cannot be understood exactly as Python understands it is refused at start-up.
//
// Python: channels.routing, django.urls.
package routing
