// Package demo is the command "belleville demo": a chat on a Django-shaped SQLite database, with nothing else
// needed. Its login page writes real Django sessions, its sockets know their visitors by them.
//
// Start with [Command]. To write a chat of your own, read [Chat] first: it is what a site writes in Go.
//
// The rooms and who is in them are kept in the memory of one process. Behind several processes they would
// have to be in a database.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/server"
	"github.com/belleville/belleville/sessionstore"
)

// drainTimeout is how long the demo waits for browsers when it ends.
const drainTimeout = 2 * time.Second

// Command is the command's flags.
type Command struct {
	Listen string `default:"127.0.0.1:8001" help:"Where to listen: host and port."`
	Dir    string `placeholder:"DIR" help:"Keep the database and its secret key in this folder. Default: a temporary one, removed at the end."`
}

// Help is shown by --help.
func (*Command) Help() string {
	return `Starts a chat with two users to log in as, and prints where to open it. Ctrl-C ends it.

Example:

  belleville demo
  belleville demo --listen 0.0.0.0:8001 --dir ~/belleville-demo`
}

// Run serves the demo until ctx is done.
func (c *Command) Run(ctx context.Context, stdout io.Writer, logger *slog.Logger) (err error) {
	if strings.HasPrefix(c.Listen, "unix:") || strings.HasPrefix(c.Listen, "fd:") {
		return fmt.Errorf("demo: --listen %s: browsers need a host and port, as 127.0.0.1:8001", c.Listen)
	}
	listener, err := server.Listen(c.Listen)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer listener.Close() // Serve may have done so
	home, err := openHome(ctx, c.Dir, djangocompat.PasswordConfig{})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, home.remove()) }()
	sessions, err := sessionstore.Open(ctx, sessionstore.Config{
		DatabaseURL: databaseURL(home.database), Keys: home.keys, Logger: logger,
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer sessions.Close()

	hosts := hostNames(c.Listen, listener.Addr())
	port := portOf(listener.Addr())
	layer := memlayer.New(memlayer.Config{})
	pages := newSite(sessions, hosts, logger)
	stop, err := pages.follow(ctx)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	srv := server.New(application(pages, port), layer, server.Config{
		MaxMessage: maxMessage, DrainTimeout: drainTimeout, Logger: logger,
	})
	if err := announce(stdout, hosts, port, home); err != nil {
		return err
	}
	return srv.Serve(ctx, listener)
}

// application is the demo as a server sees it: as a site would write it, pages and sockets in one.
func application(s *site, port string) consumers.Application {
	var app consumers.Application = routing.ProtocolTypeRouter{
		consumers.TypeHTTP: consumers.Handler(s.handler()),
		consumers.TypeWebSocket: routing.URLRouter{
			routing.Path("ws/chat/<slug:room>/", s.live.Watch(chat(newRooms()))),
		},
	}
	app = authmw.Stack(app, s.sessions, authmw.Config{CookieName: sessionCookie})
	return authmw.Origins(app, origins(s.hosts, port))
}

// origins are those of the demo's own pages.
func origins(hosts []string, port string) []string {
	list := make([]string, len(hosts))
	for i, host := range hosts {
		list[i] = "http://" + net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return list
}

// portOf returns the port of a listener's address.
func portOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return strconv.Itoa(tcp.Port)
	}
	return ""
}

// announce tells where to open the demo, and as whom.
func announce(w io.Writer, hosts []string, port string, h *home) error {
	var b strings.Builder
	b.WriteString("Belleville demo: a chat with the logins of a Django site\n\n")
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s "+format+"\n", append([]any{label}, args...)...)
	}
	urls := origins(hosts, port)
	line("Open", "%s/", urls[0])
	for i, host := range hosts[1:] {
		if isElsewhere(host) {
			line("or", "%s/", urls[1+i])
		}
	}
	for i, a := range accounts() {
		label := "Log in as"
		if i > 0 {
			label = "and as"
		}
		line(label, "%s, password %s", a.Username, a.Password)
	}
	line("Database", "%s, %s", h.database, h.fate)
	if slices.ContainsFunc(hosts, isElsewhere) {
		line("Careful", "these passwords are no secret, and whoever reaches this address can use them")
	}
	b.WriteString("\nUse a second browser or a private window for the second one. Ctrl-C ends the demo.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
