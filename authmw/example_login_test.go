package authmw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/wstest"
)

// Door is a consumer that logs its visitor in and out.
type Door struct{ handover *authmw.Handover }

// Connect lets everybody in.
func (*Door) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

// Receive takes "login NAME PASSWORD" and "logout", and tells the page where to get its new cookie.
func (d *Door) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	name, password, _ := strings.Cut(strings.TrimPrefix(m.Text(), "login "), " ")
	if m.Text() == "logout" {
		if err := authmw.Logout(ctx, c.Scope()); err != nil {
			return err
		}
	} else {
		user, err := authmw.Authenticate(ctx, c.Scope(), name, password)
		if err != nil {
			return c.SendText("no")
		}
		if err := authmw.Login(ctx, c.Scope(), user); err != nil {
			return err
		}
		c.Scope().Session.Set("greeted", true)
		if err := c.Scope().Session.Save(ctx); err != nil { // a WebSocket's session is never saved by itself
			return err
		}
	}
	path, err := d.handover.Path(c.Scope(), "/")
	if err != nil {
		return err
	}
	return c.SendText(path)
}

// Disconnect has nothing to do.
func (*Door) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// A visitor logs in over a WebSocket. Then his browser fetches the cookie, by which Django knows him, too.
func Example_loginInAConsumer() {
	site, end := exampleSite()
	defer end()
	handover := authmw.NewHandover(site, authmw.Config{}, authmw.HandoverConfig{Prefix: "/ws/cookie/"})
	door := consumers.New(func() *Door { return &Door{handover} })
	app := routing.URLRouter{
		routing.Path("ws/door/", authmw.Stack(door, site, authmw.Config{})),
		routing.Path("ws/cookie/<str:token>/", handover),
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	socket := wstest.New(app, "/ws/door/", wstest.Config{})
	if _, err := socket.Connect(ctx); err != nil {
		fmt.Println(err)
	}
	path := say(ctx, socket, "login alice wonderland")
	r := wstest.Request(ctx, app, "GET", path, nil, wstest.Config{Header: http.Header{"Sec-Fetch-Site": {"same-origin"}}})
	cookie, _, _ := strings.Cut(r.Header.Get("Set-Cookie"), ";")
	fmt.Println(r.StatusCode, "to", r.Header.Get("Location"))

	hello := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := consumers.ScopeFrom(r.Context())
		greeted, _ := s.Session.Get("greeted")
		fmt.Printf("%q, greeted: %v\n", s.User.Username, greeted)
	}))
	hello = authmw.Stack(hello, site, authmw.Config{})
	wstest.Request(ctx, hello, "GET", "/", nil, wstest.Config{Header: http.Header{"Cookie": {cookie}}})

	fmt.Println(say(ctx, socket, "login alice guessed"))
	say(ctx, socket, "logout")
	wstest.Request(ctx, hello, "GET", "/", nil, wstest.Config{Header: http.Header{"Cookie": {cookie}}})
	// Output:
	// 303 to /
	// "alice", greeted: true
	// no
	// "", greeted: <nil>
}

// say sends a text and returns the answer.
func say(ctx context.Context, socket *wstest.Communicator, text string) string {
	if err := socket.SendText(text); err != nil {
		return err.Error()
	}
	m, err := socket.Receive(ctx)
	if err != nil {
		return err.Error()
	}
	return m.Text()
}

// An HTTP consumer logs a user in; the response carries the cookie. The second one logs him out.
func ExampleLogin() {
	site, end := exampleSite()
	defer end()
	app := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := consumers.ScopeFrom(r.Context())
		user, err := authmw.Authenticate(r.Context(), s, "alice", r.Header.Get("X-Password"))
		if err != nil {
			authmw.Deny(w, err) // 403, or 429 where too many were wrong
			return
		}
		if err := authmw.Login(r.Context(), s, user); err != nil {
			http.Error(w, "The database is away.", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "hello,", s.User.Username)
	}))
	app = authmw.Stack(app, site, authmw.Config{})
	for _, password := range []string{"guessed", "wonderland"} {
		r := wstest.Request(context.Background(), app, "POST", "/", nil, wstest.Config{Header: http.Header{"X-Password": {password}}})
		fmt.Println(r.StatusCode, len(r.Header.Values("Set-Cookie")), "cookies")
	}
	// Output:
	// 403 0 cookies
	// 200 1 cookies
}

// Who guesses is answered 429 after some wrong passwords, and told when to come again.
func ExampleAuthenticate() {
	site, end := exampleSite()
	defer end()
	door := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := authmw.Authenticate(r.Context(), consumers.ScopeFrom(r.Context()), "alice", r.Header.Get("X-Password"))
		if err != nil {
			authmw.Deny(w, err)
		}
	}))
	app := authmw.Stack(door, site, authmw.Config{})
	statuses := make(map[int]int)
	for i := range 100 {
		r := wstest.Request(context.Background(), app, "POST", "/", nil, wstest.Config{Header: http.Header{"X-Password": {fmt.Sprint("guess", i)}}})
		statuses[r.StatusCode]++
		if r.StatusCode == http.StatusTooManyRequests && statuses[r.StatusCode] == 1 {
			fmt.Println("come again in", r.Header.Get("Retry-After"), "seconds")
		}
	}
	fmt.Println(statuses[http.StatusForbidden] >= 30, statuses[http.StatusForbidden]+statuses[http.StatusTooManyRequests])
	// Output:
	// come again in 2 seconds
	// true 100
}

func ExampleLogout() {
	site, end := exampleSite()
	defer end()
	app := consumers.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := consumers.ScopeFrom(r.Context())
		fmt.Println("goodbye,", s.User.Username)
		if err := authmw.Logout(r.Context(), s); err != nil {
			fmt.Println(err)
		}
		fmt.Println("anonymous:", s.User.IsAnonymous())
	}))
	app = authmw.Stack(app, site, authmw.Config{})

	session, _ := site.Load(context.Background(), "") // a new one
	if err := site.Login(context.Background(), session, site.user(1)); err != nil {
		fmt.Println(err)
	}
	header := http.Header{"Cookie": {"sessionid=" + session.Key()}}
	r := wstest.Request(context.Background(), app, "POST", "/", nil, wstest.Config{Header: header})
	fmt.Println(r.Header.Get("Set-Cookie"))
	// Output:
	// goodbye, alice
	// anonymous: true
	// sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax
}

// Ticker is a consumer that lives long, and asks now and then whether its visitor still is who he was.
type Ticker struct{}

// Connect lets in who is logged in, and looks after him from then on.
func (*Ticker) Connect(_ context.Context, c *consumers.Conn) error {
	if c.Scope().User.IsAnonymous() {
		return consumers.ErrDenied
	}
	c.Go(func(ctx context.Context) error {
		for {
			select {
			case <-time.After(10 * time.Millisecond): // a minute in real life
			case <-ctx.Done():
				return nil
			}
			user, err := authmw.GetUser(ctx, c.Scope())
			if err == nil && user.IsAnonymous() { // with an error nobody knows: ask again later
				return c.Close(4401, "logged out")
			}
		}
	})
	return c.Accept()
}

// Receive has nothing to do.
func (*Ticker) Receive(context.Context, *consumers.Conn, consumers.Message) error { return nil }

// Disconnect has nothing to do.
func (*Ticker) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// A consumer notices that its visitor has logged out on another page.
func ExampleGetUser() {
	site, end := exampleSite()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, _ := site.Load(ctx, "") // a new one
	if err := site.Login(ctx, session, site.user(1)); err != nil {
		fmt.Println(err)
	}
	app := authmw.Stack(consumers.New(func() *Ticker { return new(Ticker) }), site, authmw.Config{})
	socket := wstest.New(app, "/", wstest.Config{Header: http.Header{"Cookie": {"sessionid=" + session.Key()}}})
	if _, err := socket.Connect(ctx); err != nil {
		fmt.Println(err)
	}
	if err := session.Flush(ctx); err != nil { // on another page
		fmt.Println(err)
	}
	_, err := socket.Receive(ctx)
	fmt.Println(err)
	// Output:
	// wstest: closed with 4401
}

func ExampleRequire() {
	site, end := exampleSite()
	defer end()
	rule, err := authmw.ParseRule("group:editors")
	if err != nil {
		fmt.Println(err)
	}
	app := authmw.Stack(authmw.Require(greet, rule), site, authmw.Config{})
	_, _ = site.db.Exec("INSERT INTO auth_user_groups VALUES (1, 1, 1)") // alice is an editor
	for pk := range int64(2) {
		session, _ := site.Load(context.Background(), "") // a new one
		if err := site.Login(context.Background(), session, site.user(pk+1)); err != nil {
			fmt.Println(err)
		}
		_, err := app.Open(context.Background(), visit("sessionid="+session.Key()))
		fmt.Println("denied:", errors.Is(err, consumers.ErrDenied))
	}
	// Output:
	// hello, alice
	// denied: false
	// denied: true
}
