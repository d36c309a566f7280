package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// A QueryTrier plans queries. A [sessionstore.Store] is one.
type QueryTrier interface {
	TryQuery(ctx context.Context, query string, parameters int) error
}

// TryQueries has the database plan the allow_sql of each route, without running it. Mistakes are the wrong ones; the
// error says that the database could not say.
func (c *Config) TryQueries(ctx context.Context, db QueryTrier) (Mistakes, error) {
	var wrong Mistakes
	for i, r := range c.Routes {
		if r.AllowSQL == "" {
			continue
		}
		q, err := builtin.ParseQuery(r.AllowSQL, c.dialect())
		if err != nil {
			return wrong, err
		}
		err = db.TryQuery(ctx, q.SQL(), len(q.Names()))
		if e, ok := errors.AsType[*sessionstore.QueryError](err); ok {
			wrong.add(fmt.Sprintf("routes[%d].allow_sql", i), e.Error(), "compare it with the tables of the site; nobody gets through this route")
		} else if err != nil {
			return wrong, err
		}
	}
	return wrong, nil
}

// maxRetryAfter is the longest time, in seconds, after which a client is asked to come again.
const maxRetryAfter = 5

// complaintInterval is how often it is logged at most that a route's query is wrong.
const complaintInterval = time.Minute

// patient answers 503 where the database cannot say now, and 500 where the query itself is wrong.
type patient struct {
	db     builtin.Database
	route  string // as in routes[2]
	logger *slog.Logger

	told *atomic.Pointer[time.Time] // when it was last logged that the query is wrong; nil where it was not
}

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
	case sessionstore.FaultOther, sessionstore.FaultSchema, sessionstore.FaultAuthorization, sessionstore.FaultForbidden, sessionstore.FaultReadOnly:
		p.complain(ctx, cause)
		return false, &consumers.Denial{Status: http.StatusInternalServerError, Reason: consumers.ReasonError}
	case sessionstore.FaultValue:
		return false, consumers.ReasonAllowSQL.Deny() // nothing in the database can be equal to it
	}
	return false, &consumers.Denial{
		Status: http.StatusServiceUnavailable, Reason: consumers.ReasonUnavailable,
		Header: http.Header{"Retry-After": {strconv.Itoa(1 + rand.N(maxRetryAfter))}},
	}
}

// complain logs that the query is wrong, unless it did so lately.
func (p patient) complain(ctx context.Context, cause *sessionstore.DatabaseError) {
	now, last := time.Now(), p.told.Load()
	if last != nil && now.Sub(*last) < complaintInterval || !p.told.CompareAndSwap(last, &now) {
		return
	}
	p.logger.LogAttrs(ctx, slog.LevelError, "a route's allow_sql cannot be answered, nobody gets through it; belleville check says more",
		slog.String("route", p.route), slog.String("fault", cause.Error()))
}

// PresentKey returns SECRET_KEY without its fallbacks.
func (c *Config) PresentKey() djangocompat.Keys {
	return djangocompat.NewKeys(c.Django.SecretKey.Reveal())
}
