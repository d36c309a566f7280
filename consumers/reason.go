package consumers

import "net/http"

// A Reason says why a handshake was refused, for the one who operates the site: it is counted and logged, and the
// client never sees it. Reasons are few and fixed, and nothing of a client is in them.
type Reason uint8

// The reasons. ReasonConsumer is that of a consumer that names none.
const (
	ReasonConsumer    Reason = iota
	ReasonOrigin             // the page is of a site that is not allowed
	ReasonLogin              // nobody is logged in
	ReasonRule               // who is logged in does not meet the route's rule
	ReasonAllowSQL           // the route's query has no row for them
	ReasonGroup              // a value is no legal part of a group's name
	ReasonToken              // a token was not accepted
	ReasonCookie             // cookies that are too large, or contradict each other
	ReasonRoute              // there is no route
	ReasonMalformed          // the request's head
	ReasonLimit              // there are too many connections, or too many handshakes
	ReasonDraining           // the server ends
	ReasonUnavailable        // a database or a layer cannot say now
	ReasonTimeout            // the application took too long
	ReasonError              // the application failed
	reasons
)

// reasonNames are the names of the reasons.
var reasonNames = [reasons]string{
	"consumer", "origin", "login", "rule", "allow_sql", "group", "token", "cookie", "route", "malformed", "limit",
	"draining", "unavailable", "timeout", "error",
}

// String returns the reason's name.
func (r Reason) String() string {
	if r >= reasons {
		r = ReasonConsumer
	}
	return reasonNames[r]
}

// Deny returns an error that refuses a client with 403 for a reason.
func (r Reason) Deny() error { return &Denial{Status: http.StatusForbidden, Reason: r} }
