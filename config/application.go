package config

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/routing"
)

// Application returns what serves the routes: only pages of allowed origins get in, a path without a route is
// answered 404 before anybody is looked up, and who is there is known before a consumer sees it. The db
// answers allow_sql; sessions makes connections follow their sessions; the logger is told of an allow_sql that is wrong.
func (c *Config) Application(store authmw.Store, db builtin.Database, sessions *live.Live, reg prometheus.Registerer, logger *slog.Logger) (consumers.Application, error) {
	tokens, err := c.authenticator(store, sessions, reg)
	if err != nil {
		return nil, err
	}
	var router routing.URLRouter
	for i, r := range c.Routes {
		app, err := c.followed(r, patient{db, fmt.Sprintf("routes[%d]", i), logger, new(atomic.Pointer[time.Time])}, sessions, reg)
		if err != nil {
			return nil, fmt.Errorf("routes[%d]: %w", i, err)
		}
		if tokens != nil {
			app = tokens.Wrap(app)
		}
		app = sessions.Arriving(authmw.Stack(r.carried(app), store, c.Visitors(reg)))
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

// followed returns a route's consumer behind what says who may connect, and follows who has connected.
func (c *Config) followed(r Route, db builtin.Database, sessions *live.Live, reg prometheus.Registerer) (consumers.Application, error) {
	app, err := c.consumer(r, reg)
	if err != nil {
		return nil, err
	}
	app, err = c.guarded(r, app, db)
	if err != nil || !r.Recheck {
		return sessions.Watch(app), err
	}
	again, err := c.guarded(r, live.Opened, db)
	return sessions.WatchRule(app, again), err
}

// consumer returns a route's consumer.
func (c *Config) consumer(r Route, reg prometheus.Registerer) (consumers.Application, error) {
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
	return app, nil
}

// guarded returns an Application behind what says who may connect to a route.
func (c *Config) guarded(r Route, app consumers.Application, db builtin.Database) (consumers.Application, error) {
	if r.AllowSQL != "" {
		q, err := builtin.ParseQuery(r.AllowSQL, c.dialect())
		if err != nil {
			return nil, err
		}
		app = builtin.AllowSQL(app, q, db)
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
