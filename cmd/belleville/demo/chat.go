package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

const (
	// maxText is how long a message may be, in characters; maxMessage has room for it in JSON, where a
	// character takes up to 12 bytes.
	maxText    = 1000
	maxMessage = 16 << 10

	// A visitor may say a few things at once, then one at each interval.
	sayBurst    = 5
	sayInterval = time.Second
)

// Chat is one visitor in one room. Its methods are never called concurrently.
type Chat struct {
	rooms *rooms
	pace  pace

	room string // "" until the visitor is in it
	user string
}

// chat makes the Application of the chat.
func chat(rs *rooms) consumers.Application {
	newChat := func() *Chat {
		return &Chat{rooms: rs, pace: pace{burst: sayBurst, interval: sayInterval}}
	}
	return consumers.New(newChat,
		consumers.OnGroup(renderMessage),
		consumers.OnGroup(renderPresence))
}

// Connect lets in whoever is logged in on the Django site, and tells the room.
func (ch *Chat) Connect(ctx context.Context, c *consumers.Conn) error {
	scope := c.Scope()
	if !scope.User.IsAuthenticated() {
		return consumers.ErrDenied
	}
	room, user := scope.Kwargs["room"], scope.User.Username
	if !isRoom(room) {
		return consumers.ErrNoRoute
	}
	if err := c.GroupAdd(ctx, roomGroup(room)); err != nil {
		return err
	}
	presence, history, err := ch.rooms.join(room, user)
	if err != nil {
		return &consumers.Denial{Status: http.StatusServiceUnavailable}
	}
	ch.room, ch.user = room, user

	if err := c.Accept(); err != nil {
		return err
	}
	if err := c.SendJSON(update{Welcome: &welcome{describe(c, roomGroup(room)), presence, history}}); err != nil {
		return err
	}
	return c.GroupSend(ctx, roomGroup(room), presence)
}

// Receive tells the room what the visitor said.
func (ch *Chat) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	var s said
	if err := m.JSON(&s); err != nil {
		return c.Close(consumers.CloseUnsupportedData, "not what the page sends")
	}
	text := strings.TrimSpace(s.Text)
	switch {
	case text == "":
		return nil
	case utf8.RuneCountInString(text) > maxText:
		return c.SendJSON(update{Refusal: &refusal{fmt.Sprintf("That is longer than %d characters.", maxText), text}})
	case !ch.pace.allow(time.Now()):
		return c.SendJSON(update{Refusal: &refusal{"A little slower, please.", text}})
	}
	return c.GroupSend(ctx, roomGroup(ch.room), ch.rooms.say(ch.room, ChatMessage{From: ch.user, Text: text}))
}

// Disconnect tells the room who is left in it. The connection leaves its groups by itself.
func (ch *Chat) Disconnect(ctx context.Context, c *consumers.Conn, _ consumers.CloseCode) error {
	if ch.room == "" {
		return nil
	}
	return c.GroupSend(ctx, roomGroup(ch.room), ch.rooms.leave(ch.room, ch.user))
}

// renderMessage makes one frame for all who are in the room.
func renderMessage(m ChatMessage) (consumers.Message, error) {
	return consumers.JSONMessage(update{Message: &m})
}

// renderPresence makes one frame for all who are in the room.
func renderPresence(p ChatPresence) (consumers.Message, error) {
	return consumers.JSONMessage(update{Presence: &p})
}

// describe says what Belleville knows about a visitor.
func describe(c *consumers.Conn, groups ...string) you {
	scope := c.Scope()
	return you{
		Username: scope.User.Username,
		UserID:   scope.User.PK.String(),
		Name:     strings.TrimSpace(scope.User.FirstName + " " + scope.User.LastName),
		Backend:  scope.User.Backend,
		Cookie:   sessionCookie,
		Expires:  sessionEnd(scope.Session).UnixMilli(),
		Address:  scope.Client.String(),
		Channel:  c.ChannelName(),
		Groups:   groups,
		Since:    time.Now().UnixMilli(),
	}
}

// sessionEnd returns when the session's row expires: it is saved once, at the login, which notes the time.
func sessionEnd(session *djangocompat.Session) time.Time {
	text, _ := session.GetString(loggedInKey)
	loggedIn, err := time.Parse(time.RFC3339, text)
	if err != nil {
		loggedIn = time.Now() // it is none of ours
	}
	return loggedIn.Add(session.ExpiryAge(djangocompat.ExpirySettings{}))
}

// roomGroup names the group of all sockets in a room.
func roomGroup(room string) string { return "chat." + room }
