package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// The bounds of what is read about a target.
const (
	maxCookieFile = 256 << 20
	maxCookieLine = 8 << 10
	maxSources    = 250
	perSource     = 20_000 // connections, for Linux has 28,000 ports for an address
)

// targetFlags say where to connect to, and as whom.
type targetFlags struct {
	URL         string        `name:"url" required:"" placeholder:"URL" help:"The WebSocket: ws:// or wss://."`
	Unix        string        `placeholder:"PATH" help:"Connect to this unix socket; --url still says host and path."`
	Cookie      string        `placeholder:"NAME=VALUE" help:"The Cookie header of all clients."`
	CookieFile  string        `placeholder:"FILE" help:"The Cookie headers of the clients, one on each line, in turn; # begins a comment."`
	Origin      string        `placeholder:"ORIGIN" help:"The Origin header. Default: that of the URL's own site."`
	Header      []string      `sep:"none" placeholder:"NAME:VALUE" help:"One more header; can be repeated."`
	Subprotocol string        `placeholder:"NAME" help:"The Sec-WebSocket-Protocol header."`
	Sources     int           `placeholder:"N" help:"Connect from so many addresses, 127.0.1.1 and those after it; only to a server on loopback. Default: as many as are needed."`
	Insecure    bool          `help:"With wss://, trust any certificate."`
	Timeout     time.Duration `default:"10s" help:"How long a handshake may take."`
	JSON        bool          `name:"json" help:"Print the figures as JSON; docs/performance.md says what they are."`
}

// target is where to connect to.
type target struct {
	network, address string
	tls              *tls.Config // nil for ws://
	shown            string      // the URL without what may be a secret
	head             string      // of the request, up to what differs
	cookies          []string    // Cookie headers, in turn
	sources          []net.Addr  // where connections come from, in turn
	timeout          time.Duration
}

// check returns the first mistake in the flags. It names none of their values, but the URL's scheme.
func (f *targetFlags) check() error {
	u, err := url.Parse(f.URL)
	switch {
	case err != nil || u.Host == "" || !printable(f.URL):
		return errors.New("--url is no URL, as in ws://127.0.0.1:8001/ws/echo/")
	case u.Scheme != "ws" && u.Scheme != "wss":
		return fmt.Errorf("--url begins with %.10q: it must be ws:// or wss://", u.Scheme+"://")
	case u.User != nil:
		return errors.New("--url has a user in it: name a session with --cookie, or a token with --header")
	case f.Cookie != "" && f.CookieFile != "":
		return errors.New("--cookie and --cookie-file cannot be used together")
	case f.Cookie != "" && !isCookie(f.Cookie):
		return errors.New("--cookie is no NAME=VALUE")
	case f.Timeout <= 0 || f.Timeout > time.Hour:
		return errors.New("--timeout must be between 1ns and 1h")
	case f.Sources < 0 || f.Sources > maxSources:
		return fmt.Errorf("--sources must be between 1 and %d", maxSources)
	case f.Sources > 0 && f.Unix != "":
		return errors.New("--sources and --unix cannot be used together: a unix socket has no addresses")
	case !printable(f.Origin) || !printable(f.Subprotocol):
		return errors.New("--origin or --subprotocol has a character that no header may have")
	}
	for _, h := range f.Header {
		if err := checkHeader(h); err != nil {
			return err
		}
	}
	return nil
}

// checkHeader returns what is wrong with a header.
func checkHeader(h string) error {
	name, _, found := strings.Cut(h, ":")
	if !found || name == "" || !printable(h) || strings.ContainsAny(name, " \"(),/;<=>?@[\\]{}") {
		return errors.New("--header is no NAME:VALUE")
	}
	switch lower := strings.ToLower(name); {
	case lower == "cookie":
		return errors.New("--header cannot set Cookie: use --cookie or --cookie-file")
	case lower == "origin":
		return errors.New("--header cannot set Origin: use --origin")
	case lower == "host", lower == "upgrade", lower == "connection", strings.HasPrefix(lower, "sec-websocket-"):
		return fmt.Errorf("--header cannot set %.40q: it is part of the handshake", name)
	}
	return nil
}

// isCookie reports whether a text can be a Cookie header.
func isCookie(text string) bool {
	name, _, found := strings.Cut(text, "=")
	return found && name != "" && printable(text)
}

// target reads the cookies and resolves the address, for so many clients.
func (f *targetFlags) target(clients int) (*target, error) {
	u, err := url.Parse(f.URL)
	if err != nil {
		return nil, errors.New("--url is no URL")
	}
	t := &target{network: "tcp", timeout: f.Timeout}
	port, site := "80", "http://"
	if u.Scheme == "wss" {
		port, site = "443", "https://"
		t.tls = &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: f.Insecure, NextProtos: []string{"http/1.1"}}
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	if f.Unix != "" {
		t.network, t.address = "unix", f.Unix
	} else if err := t.resolve(); err != nil {
		return nil, err
	}
	t.shown = u.Scheme + "://" + u.Host + u.EscapedPath()
	t.head = f.head(u, site)
	if f.Cookie != "" {
		t.cookies = []string{f.Cookie}
	}
	if f.CookieFile != "" {
		if t.cookies, err = readCookies(f.CookieFile); err != nil {
			return nil, err
		}
	}
	return t, t.spread(f.Sources, clients)
}

// head is the part of the request that all clients have.
func (f *targetFlags) head(u *url.URL, site string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
		u.RequestURI(), u.Host)
	origin := f.Origin
	if origin == "" {
		origin = site + u.Host
	}
	fmt.Fprintf(&b, "Origin: %s\r\n", origin)
	if f.Subprotocol != "" {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", f.Subprotocol)
	}
	for _, h := range f.Header {
		name, value, _ := strings.Cut(h, ":")
		fmt.Fprintf(&b, "%s: %s\r\n", name, strings.TrimSpace(value))
	}
	return b.String()
}

// readCookies reads a file of Cookie headers. An error names the line, never what stands in it.
func readCookies(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--cookie-file: %w", err)
	}
	defer file.Close()
	var cookies []string
	lines := bufio.NewScanner(io.LimitReader(file, maxCookieFile))
	lines.Buffer(nil, maxCookieLine)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !isCookie(line):
			return nil, fmt.Errorf("--cookie-file: line %d is no NAME=VALUE, as in sessionid=…", number)
		default:
			cookies = append(cookies, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--cookie-file: after %d cookies: %w", len(cookies), err)
	}
	if len(cookies) == 0 {
		return nil, errors.New("--cookie-file has no cookies in it")
	}
	return cookies, nil
}

// resolve looks the host up once, so that the clients need not.
func (t *target) resolve() error {
	address, err := net.ResolveTCPAddr("tcp", t.address)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	t.address = address.String()
	return nil
}

// spread chooses where the connections come from: wanted addresses, or as many as so many clients need.
func (t *target) spread(wanted, clients int) error {
	address, err := netip.ParseAddrPort(t.address)
	loopback := t.network == "tcp" && err == nil && address.Addr().Is4() && address.Addr().IsLoopback()
	if wanted > 0 && !loopback {
		return errors.New("--sources needs a server on an IPv4 loopback address, as 127.0.0.1")
	}
	if n := (clients + perSource - 1) / perSource; wanted == 0 && loopback && n > 1 {
		wanted = n
	}
	for i := range wanted {
		t.sources = append(t.sources, &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i))})
	}
	return nil
}

// dial connects, and agrees on TLS where that is wanted.
func (t *target) dial(ctx context.Context, index int) (net.Conn, error) {
	var d net.Dialer
	d.KeepAlive = -1
	if len(t.sources) > 0 {
		d.LocalAddr = t.sources[index%len(t.sources)]
	}
	conn, err := d.DialContext(ctx, t.network, t.address)
	if err != nil || t.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, t.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}
