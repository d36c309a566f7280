package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// ControlGroup is the group over which a site controls connections from anywhere, where that is enabled:
//
//	channel_layer.group_send("belleville.control", {"type": "kick", "user": 42})
const ControlGroup = "belleville.control"

// Kicked is the close code of who is kicked, unless another is named.
const Kicked consumers.CloseCode = 4403

// An Order is what a site, or an operator, wants to be done to open connections.
type Order struct {
	// Exactly one of these says to whose: the primary key of a user, a session key, everybody who is logged in.
	User    any    `json:"user,omitempty"`
	Session string `json:"session,omitempty"`
	All     bool   `json:"all,omitempty"`

	// Code and Reason are in the close frame. Default: 4403, "kicked".
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`

	// Text is a message that is sent instead.
	Text string `json:"text,omitempty"`
}

// ErrOrder means that an Order makes no sense.
var ErrOrder = errors.New("live: an order names one of user, session, all; and a code from 1000, 3000 to 4999")

// Execute does what an Order asks for, and returns how many connections of this process that concerned.
func (l *Live) Execute(o Order) (int, error) {
	code, reason, err := o.closing()
	if err != nil {
		return 0, err
	}
	switch {
	case o.User != nil:
		return l.orderUser(o, code, reason)
	case o.Text != "":
		return 0, fmt.Errorf("%w; a text is for a user", ErrOrder)
	case o.Session != "":
		return l.KickSession(o.Session, code, reason), nil
	default:
		return l.KickAll(code, reason), nil
	}
}

// closing returns what is to be in the close frame.
func (o Order) closing() (consumers.CloseCode, string, error) {
	named := 0
	for _, is := range []bool{o.User != nil, o.Session != "", o.All} {
		if is {
			named++
		}
	}
	code, reason := consumers.CloseCode(o.Code), o.Reason
	if o.Code == 0 {
		code = Kicked
	}
	if reason == "" {
		reason = "kicked"
	}
	if named != 1 || o.Code < 0 || o.Code > math.MaxUint16 || !code.Sendable() {
		return 0, "", ErrOrder
	}
	return code, reason, nil
}

// orderUser does what an Order asks for about a user.
func (l *Live) orderUser(o Order, code consumers.CloseCode, reason string) (int, error) {
	text := ""
	switch v := o.User.(type) {
	case string:
		text = v
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, ErrOrder
		}
		text = strconv.FormatInt(int64(v), 10)
	case int64:
		text = strconv.FormatInt(v, 10)
	default:
		return 0, ErrOrder
	}
	if text == "" { // nobody has it but AnonymousUser
		return 0, ErrOrder
	}
	pk := djangocompat.TextPK(text) // the index knows users by the text of their primary key
	if o.Text != "" {
		return l.SendUser(pk, consumers.TextMessage(o.Text)), nil
	}
	return l.KickUser(pk, code, reason), nil
}

// Obey executes the Orders that come over a channel layer to ControlGroup, as events of the types "kick" and "send",
// until ctx is done. Whoever can send over the layer can do so. A layer that is away is waited for.
func (l *Live) Obey(ctx context.Context, layer channellayer.Layer) error {
	q := channellayer.NewQueue()
	name, err := layer.NewChannel(ctx, q)
	if err != nil {
		return fmt.Errorf("live: open channel: %w", err)
	}
	defer layer.CloseChannel(name)
	if err := l.join(ctx, layer, name); err != nil {
		return err
	}
	for {
		e, err := q.Next(ctx)
		if err != nil {
			return nil // ctx is done
		}
		l.obey(e)
	}
}

// join makes a channel a member of ControlGroup, and tries until the layer can do that or ctx is done.
func (l *Live) join(ctx context.Context, layer channellayer.Layer, channel string) error {
	for told := false; ; told = true {
		err := layer.GroupAdd(ctx, ControlGroup, channel)
		switch {
		case err == nil && told:
			l.cfg.Logger.Info("orders from the channel layer are obeyed")
			return nil
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.Is(err, channellayer.ErrClosed):
			return fmt.Errorf("live: join %s: %w", ControlGroup, err)
		case !told:
			l.cfg.Logger.Warn("orders do not arrive: the channel layer is away; trying again", slog.String("error", err.Error()))
		}
		if !pause(ctx, patience) {
			return nil
		}
	}
}

// obey executes one event. What makes no sense is counted.
func (l *Live) obey(e channellayer.Event) {
	var o Order
	err := e.Decode(&o)
	switch {
	case err != nil:
	case e.Type() == "kick" && o.Text == "", e.Type() == "send" && o.Text != "":
		_, err = l.Execute(o)
	case e.Type() == channellayer.GapType:
		return // what was missed was for this moment
	default:
		err = ErrOrder
	}
	if err != nil {
		l.metrics.orders.WithLabelValues("refused").Inc()
		return
	}
	l.metrics.orders.WithLabelValues("done").Inc()
}
