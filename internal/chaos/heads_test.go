package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/server"
)

// request is what somebody has read out of the head of a request.
type request struct {
	Method, URI, Host, Cookie, Test string
	Status, Upstream                string // nginx's own
}

// valid returns the request as it is once JSON has carried it: bytes that are no UTF-8 are lost.
func (q request) valid() request {
	text := func(s string) string { return string([]rune(s)) }
	return request{text(q.Method), text(q.URI), text(q.Host), text(q.Cookie), text(q.Test), q.Status, q.Upstream}
}

// reader is a server that notes what it reads.
type reader struct {
	addr string
	mu   sync.Mutex // guards seen
	seen []request
}

// startReader starts one.
func startReader(t *testing.T) *reader {
	t.Helper()
	r := new(reader)
	echo := consumers.New(func() *moody { return new(moody) })
	app := consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		uri := s.RawPath
		if s.Query != "" {
			uri += "?" + s.Query
		}
		r.mu.Lock()
		r.seen = append(r.seen, request{
			Method: s.Method, URI: uri, Host: s.Header.Get("host"),
			Cookie: strings.Join(slices.Collect(s.Header.Values("cookie")), "; "), Test: s.Header.Get("x-test"),
		})
		r.mu.Unlock()
		if s.Type != consumers.TypeWebSocket {
			return nil, consumers.ErrNoRoute
		}
		return echo.Open(ctx, s)
	})
	l, err := server.Listen("127.0.0.1:0")
	must(t, err)
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- server.New(app, memlayer.New(memlayer.Config{}), server.Config{DrainTimeout: time.Second, HandshakeTimeout: 300 * time.Millisecond}).Serve(ctx, l)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

// took returns what was read since it was asked last.
func (r *reader) took() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// readingConf is nginx in front of a reader, which notes what it reads itself.
const readingConf = `
daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log crit;
events { worker_connections 256; }
http {
	log_format seen escape=json '{"method":"$request_method","uri":"$request_uri","host":"$http_host","cookie":"$http_cookie","test":"$http_x_test","status":"$status","upstream":"$upstream_status"}';
	access_log %[1]s/seen seen; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	server {
		listen 127.0.0.1:%[2]d; client_header_timeout 300ms; client_body_timeout 300ms; keepalive_timeout 300ms; lingering_close off;
		location / {
			proxy_pass http://%[3]s; proxy_http_version 1.1; proxy_read_timeout 2s; proxy_ignore_client_abort on;
			proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
		}
	}
}
`

// startReadingNginx puts nginx in front of a reader. It returns where it listens, and what tells what nginx has read since
// it was asked last.
func startReadingNginx(t *testing.T, upstream string) (addr string, took func() []request) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		err = fmt.Errorf("%w: Debian's package nginx", parts.ErrMissing)
	}
	parts.Need(t, "nginx", err)
	port, err := parts.FreePort()
	must(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(file, fmt.Appendf(nil, readingConf, dir, port, upstream), 0o600))
	cmd := exec.Command(path, "-c", file, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it ends as it was told
	})
	addr = fmt.Sprint("127.0.0.1:", port)
	waitUntil(t, "nginx listens", func() bool { return statusOf(addr) != 0 })
	log, err := os.Open(filepath.Join(dir, "seen"))
	must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return addr, func() (seen []request) {
		text, err := io.ReadAll(log)
		must(t, err)
		for line := range strings.Lines(string(text)) {
			var r request
			must(t, json.Unmarshal([]byte(line), &r))
			seen = append(seen, r)
		}
		return seen
	}
}

// tell sends a head, and returns when the connection has ended.
func tell(t *testing.T, addr, head string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, handshakeTimeout)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(handshakeTimeout)))
	_, _ = io.WriteString(c, head) // it may be refused before its end
	in := bufio.NewReader(c)
	status := http.StatusContinue
	for status == http.StatusContinue {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			break
		}
		status = r.StatusCode
	}
	if status == http.StatusSwitchingProtocols {
		_ = (&socket{conn: c}).write(0x8, []byte{3, 0xe8})
	}
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, in)
}

// plainHead is one that all understand.
const plainHead = "GET /ws/ HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: sessionid=a\r\nX-Test: b\r\n\r\n"

// strangePieces are what heads are made strange with.
var strangePieces = []string{
	" ", "  ", "\t", "\r", "\n", "\r\n", "\r\n\r\n", "\x00", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\xa0", "\xff", ":", "::", " :", ";", ",", "_", "#", "?", "%", "%00", "%0d%0a", "//", "/../",
	"\r\n folded", "\r\nX-Test: c", "\r\nX_Test: c", "\r\nX-Test : c", "\r\nHost: example.org", "\r\nCookie: sessionid=c", "\r\nContent-Length: 3", "\r\nContent-Length: +0",
	"\r\nContent-Length: 0\r\nContent-Length: 5", "\r\nTransfer-Encoding: chunked", "\r\nTransfer-Encoding:\x0bchunked", "\r\nTransfer-Encoding: identity", "\r\nConnection: close", "\r\nConnection: X-Test",
	"\r\n\r\nGET /more HTTP/1.1\r\nHost: example.org\r\n", "http://example.org", "HTTP/1.0", "HTTP/1.;", "HTTP/2.0", "POST", "websocket", "\r\nUpgrade: h2c", "\r\nExpect: 100-continue", "\xc3\xa4",
}

// strange returns a head with one or two strange things in it: a piece that is put in somewhere, or bytes that are gone.
func strange(r *rand.Rand) string {
	head := plainHead
	for range 1 + r.IntN(2) {
		at := r.IntN(len(head) + 1)
		piece := strangePieces[r.IntN(len(strangePieces))]
		if strings.HasPrefix(piece, "\r\n") && r.IntN(4) > 0 { // at the end of a line
			ends := strings.Count(head, "\r\n") - 1
			for range 1 + r.IntN(ends) {
				next := strings.Index(head[min(at, len(head)-1):], "\r\n")
				if next < 0 {
					break
				}
				at = min(at, len(head)-1) + next
			}
		}
		gone := min(len(head)-at, []int{0, 0, 1, 2, 5}[r.IntN(5)])
		head = head[:at] + piece + head[at+gone:]
	}
	return head
}

// reading is what came of heads that were sent here and to nginx in front.
type reading struct {
	heads, both, passed, split, otherwise int
}

// readBoth sends heads here and to nginx in front, and compares what is read.
func readBoth(t *testing.T, heads []string) (sum reading) {
	t.Helper()
	r := startReader(t)
	front, nginxTook := startReadingNginx(t, r.addr)
	waitUntil(t, "nginx has noted the request that found it", func() bool { return len(nginxTook()) > 0 })
	r.took()
	for _, head := range heads {
		tell(t, front, head)
		through := r.took()
		theirs := nginxTook()
		tell(t, r.addr, head)
		ours := r.took()
		sum.heads++
		sum.passed += len(through)
		forwarded := slices.DeleteFunc(slices.Clone(theirs), func(q request) bool { return q.Upstream == "" })
		if len(through) > len(forwarded) {
			sum.split++
			t.Errorf("nginx sent %+v on, and these were read: %+v\n%q", forwarded, through, head)
		}
		for i, q := range ours {
			if i >= len(theirs) || theirs[i].Status == "400" || theirs[i].Method == "" {
				break // nginx refuses it, and ends there
			}
			sum.both++
			w := theirs[i]
			w.Status, w.Upstream = "", ""
			for _, value := range []*string{&w.Host, &w.Cookie, &w.Test} { // nginx leaves tabs where RFC 9110 §5.5 has none
				*value = strings.Trim(*value, "\t ")
			}
			if q.valid() != w {
				sum.otherwise++
				t.Errorf("read here as %+v, by nginx as %+v:\n%q", q, w, head)
			}
		}
	}
	return sum
}

func TestT25NginxReadsHeadsAsWeDo(t *testing.T) {
	n, readers := size(1000, 40), 8
	var mu sync.Mutex // guards all
	var all reading
	t.Run("", func(t *testing.T) {
		for i := range readers {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(25, uint64(i)))
				heads := []string{plainHead}
				for range n {
					heads = append(heads, strange(random))
				}
				sum := readBoth(t, heads)
				mu.Lock()
				defer mu.Unlock()
				all = reading{all.heads + sum.heads, all.both + sum.both, all.passed + sum.passed, all.split + sum.split, all.otherwise + sum.otherwise}
			})
		}
	})
	what := fmt.Sprintf("%d strange heads, sent here and to nginx in front; both take %d requests", all.heads, all.both)
	row(t, all.otherwise == 0 && all.both > 0, "T25", what, fmt.Sprintf("%d read otherwise", all.otherwise), "0")
	row(t, all.split == 0 && all.passed > 0, "T25", what, fmt.Sprintf("%d split behind nginx, of %d requests that it sent on", all.split, all.passed), "0")
}
