package config

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/sessionstore"
)

// Application returns what serves the routes: only pages of allowed origins get in, a path without a route is
// answered 404 before anybody is looked up, and who is there is known before a consumer sees it. The db
// answers allow_sql; sessions makes connections follow their sessions.
func (c *Config) Application(store authmw.Store, db builtin.Database, sessions *live.Live, reg prometheus.Registerer) (consumers.Application, error) {
	tokens, err := c.authenticator(store, reg)
	if err != nil {
		return nil, err
	}
	var router routing.URLRouter
	for i, r := range c.Routes {
		app, err := c.guarded(r, db, reg)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		app = sessions.Watch(app)
		if tokens != nil {
			app = tokens.Wrap(app)
		}
		app = authmw.Stack(r.carried(app), store, c.Visitors(reg))
		parse, pattern := routing.ParsePath, r.Path
		if r.RePath != "" {
			parse, pattern = routing.ParseRePath, r.RePath
		}
		route, err := parse(pattern, app)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		router = append(router, route)
	}
	return c.fromAllowedOrigins(router), nil
}

// guarded returns a route's consumer behind what says who may connect.
func (c *Config) guarded(r Route, db builtin.Database, reg prometheus.Registerer) (consumers.Application, error) {
	var app consumers.Application
	switch r.Consumer {
	case relayConsumer:
		app = builtin.Relay(builtin.RelayConfig{Groups: r.Groups, Publish: r.Publish, Stamp: r.Stamp, LatestBy: r.latestBy()})
	case bridgeConsumer:
		app = builtin.Bridge(r.Channel, c.bridge(reg))
	case echoConsumer:
		app = builtin.Echo()
	case whoAmIConsumer:
		app = builtin.WhoAmI()
	default:
		return nil, fmt.Errorf("there is no consumer %s", quote(r.Consumer))
	}
	if r.AllowSQL != "" {
		q, err := builtin.ParseQuery(r.AllowSQL, c.dialect())
		if err != nil {
			return nil, err
		}
		app = builtin.AllowSQL(app, q, patient{db})
	}
	rule, err := authmw.ParseRule(r.Allow)
	if err != nil {
		return nil, err
	}
	return authmw.Require(app, rule), nil
}

// fromAllowedOrigins wraps an Application so that the pages of other sites do not reach it.
func (c *Config) fromAllowedOrigins(app consumers.Application) consumers.Application {
	d := c.Django
	switch {
	case len(d.AllowedOrigins) > 0:
		return authmw.Origins(app, d.AllowedOrigins)
	case d.Debug:
		return authmw.AllowedHostsDebug(app, d.AllowedHosts)
	}
	return authmw.AllowedHosts(app, d.AllowedHosts)
}

// maxRetryAfter is the longest time, in seconds, after which a client is asked to come again.
const maxRetryAfter = 5

// patient answers 503 where the database cannot say now. What is wrong with the query itself is an error.
type patient struct{ db builtin.Database }

// HasRow implements builtin.Database.
func (p patient) HasRow(ctx context.Context, query string, args ...any) (bool, error) {
	found, err := p.db.HasRow(ctx, query, args...)
	if err == nil {
		return found, nil
	}
	cause, ok := errors.AsType[*sessionstore.DatabaseError](err)
	if !ok {
		return false, fmt.Errorf("allow_sql: %w", err)
	}
	switch cause.Fault {
	case sessionstore.FaultOther, sessionstore.FaultSchema, sessionstore.FaultAuthorization, sessionstore.FaultReadOnly:
		return false, fmt.Errorf("allow_sql: %w", err)
	case sessionstore.FaultValue:
		return false, consumers.ReasonAllowSQL.Deny() // nothing in the database can be equal to it
	}
	return false, &consumers.Denial{
		Status: http.StatusServiceUnavailable, Reason: consumers.ReasonUnavailable,
		Header: http.Header{"Retry-After": {strconv.Itoa(1 + rand.N(maxRetryAfter))}},
	}
}
