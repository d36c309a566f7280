package live

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// WatchRule is Watch for connections that end, too, when their visitor is not let in any more. What is asked again is an
// Application of which only the error of Open counts, as the middleware that let them in around nothing: it is asked
// once an interval, and once for all visitors and routes that are alike. A refusal closes with 4403; that it cannot
// say ends nothing.
func (l *Live) WatchRule(app, again consumers.Application) consumers.Application {
	return watching{app, l, &rule{again}}
}

// rule is what a route lets visitors in by. Two that are the same are one rule.
type rule struct{ consumers.Application }

// Opened is what a rule may be around: it lets everybody in.
var Opened consumers.Application = consumers.ApplicationFunc(
	func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, nil },
)

// NotAllowed is the close code of who is not let in any more.
const NotAllowed consumers.CloseCode = 4403

// notAllowed is the reason in its close frame.
const notAllowed = "not allowed any more"

// maxAsking bounds the rules that are asked at the same time.
const maxAsking = 16

// ruled is a connection that a rule is asked about. Only its user is ever changed.
type ruled struct {
	seat  *seat
	scope *consumers.Scope // as it was at the handshake
	rule  *rule
	user  *djangocompat.User // who it is while it is in no session; guarded by Live.mu
}

// question is what some connections have in common: one answer is enough.
type question struct {
	scope     *consumers.Scope
	rule      *rule
	instances []consumers.Watched
}

// questions returns what is to be asked about all that rules are for.
func (l *Live) questions() []*question {
	l.mu.Lock()
	defer l.mu.Unlock()
	alike := make(map[string]*question)
	for _, r := range l.rules {
		user := r.user
		if r.seat.of != nil {
			user = r.seat.of.user
		}
		key := fmt.Sprintf("%p %p %s", r.rule, user, parameters(r.scope))
		q := alike[key]
		if q == nil {
			q = &question{scope: as(r.scope, user), rule: r.rule}
			alike[key] = q
		}
		q.instances = append(q.instances, r.seat.instance)
	}
	return slices.Collect(maps.Values(alike))
}

// as returns the Scope of a visitor as it is now.
func as(s *consumers.Scope, user *djangocompat.User) *consumers.Scope {
	s = s.Clone()
	s.User = user
	return s
}

// parameters returns what a route has captured, as text that is the same for what is alike.
func parameters(s *consumers.Scope) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Kwargs)) {
		fmt.Fprintf(&b, "%q=%q ", name, s.Kwargs[name])
	}
	fmt.Fprintf(&b, "%q", s.Args)
	return b.String()
}

// askRules asks all rules, and ends the connections that are not let in any more.
func (l *Live) askRules(ctx context.Context) {
	var asking errgroup.Group
	asking.SetLimit(maxAsking)
	for _, q := range l.questions() {
		asking.Go(func() error {
			_, err := q.rule.Open(ctx, q.scope)
			switch {
			case err == nil:
				l.metrics.rules.WithLabelValues(ruleAllows).Inc()
			case consumers.DenialOf(err).Status >= http.StatusInternalServerError:
				l.metrics.rules.WithLabelValues(ruleUnavailable).Inc()
			default:
				l.metrics.rules.WithLabelValues(ruleRefuses).Inc()
				closeAll(q.instances, NotAllowed, notAllowed)
			}
			return nil
		})
	}
	_ = asking.Wait() // none of them returns an error
}
