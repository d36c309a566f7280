package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
)

// TestT19OddCookies shows a server cookies that no browser has got: first those that can be no session key.
func TestT19OddCookies(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	b := serve(t, s.db.URL())
	count := size(100_000, 1000)
	impossible := func(key string) bool {
		value, _ := djangocompat.CookieValue("sessionid="+key, "sessionid")
		return !djangocompat.PlausibleSessionKey(value)
	}
	before := b.queries()
	answers := showCookies(b.addr, count/2, impossible)
	asked := b.queries() - before
	for answer, n := range showCookies(b.addr, count/2, func(key string) bool { return !impossible(key) }) {
		answers[answer] += n
	}
	wrong := answers["no connection"]
	for answer, n := range answers {
		if strings.HasPrefix(answer, "5") || strings.HasPrefix(answer, "2") || answer == "101" {
			wrong += n
		}
	}
	row(t, asked == 0 && wrong == 0, "T19", fmt.Sprintf("%d handshakes with odd session cookies, half of them no key that can be", count),
		fmt.Sprintf("answers %v; %d queries for the impossible ones, %d for the others", answers, asked, b.queries()-before-asked), "4xx; 0 queries for impossible ones")
}

// showCookies tries so many handshakes with odd cookies that meet a condition, and returns how many were answered how.
func showCookies(addr string, count int, of func(key string) bool) map[string]int {
	var mu sync.Mutex // guards answers
	answers := make(map[string]int)
	var showing sync.WaitGroup
	const clients = 16
	for i := range clients {
		showing.Go(func() {
			r := rand.New(rand.NewPCG(19, uint64(i)))
			for range count / clients {
				key := oddKey(r)
				for !of(key) {
					key = oddKey(r)
				}
				answer := "101"
				if k, err := dial(addr, "/ws/room/", &login{Key: key}, ""); err != nil {
					answer = kindOfRefusal(err)
				} else {
					_ = k.conn.Close()
				}
				mu.Lock()
				answers[answer]++
				mu.Unlock()
			}
		})
	}
	showing.Wait()
	return answers
}

// oddKey is no session key, but for chance: text in which some bytes are any, but for the end of a line.
func oddKey(r *rand.Rand) string {
	length := r.IntN(48)
	if r.IntN(8) == 0 {
		length = r.IntN(5000)
	}
	key := []byte(strings.Repeat(djangocompat.NewSessionKey(), 1+length/32)[:length])
	for range r.IntN(4) {
		if len(key) > 0 {
			key[r.IntN(len(key))] = byte(r.UintN(256))
		}
	}
	if r.IntN(8) == 0 {
		return `"` + string(key) + fmt.Sprintf(`\%03o"`, r.IntN(512))
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(string(key))
}

// TestT22Headers looks at all that a server answers, but for open WebSockets: what depends on the visitor's session says so.
func TestT22Headers(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	b := serve(t, s.db.URL(), "BELLEVILLE_ROUTES_2_PATH=ws/staff/", "BELLEVILLE_ROUTES_2_CONSUMER=whoami", "BELLEVILLE_ROUTES_2_ALLOW=staff",
		"BELLEVILLE_ROUTES_3_PATH=ws/perm/", "BELLEVILLE_ROUTES_3_CONSUMER=echo", "BELLEVILLE_ROUTES_3_ALLOW=perm:auth.add_user")
	key := s.logins("u", 1, 1, time.Hour)[0].Key
	const handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	audited, wrong := make(map[int]int), 0
	for _, path := range []string{"/ws/room/", "/ws/staff/", "/ws/perm/", "/ws/anyone/", "/ws/nowhere/", "/"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, cookie := range []string{"", "Cookie: sessionid=" + key + "\r\n", "Cookie: sessionid=nobodysessionkey\r\n", "Cookie: sessionid=x\r\n"} {
				for _, rest := range []string{"Connection: close\r\n", handshake + "Origin: http://127.0.0.1\r\n", handshake + "Origin: http://evil.com\r\n"} {
					r := answerTo(t, b.addr, method+" "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\n"+cookie+rest+"\r\n")
					audited[r.StatusCode]++
					// Whoever is let in, or refused by a rule, was looked up; a path, method or origin that is wrong is so for all.
					dependent := r.StatusCode == http.StatusForbidden && !strings.Contains(rest, "evil.com")
					if dependent && !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Cookie") ||
						r.Header.Get("Set-Cookie") != "" && !strings.Contains(r.Header.Get("Cache-Control"), "private") {
						wrong++
						t.Errorf("%s %s, %q, %q: %d, %v", method, path, cookie, rest, r.StatusCode, r.Header)
					}
				}
			}
		}
	}
	row(t, wrong == 0 && audited[http.StatusForbidden] > 0, "T22", "the headers of what belleville serve answers", fmt.Sprintf("answers %v, %d of which depend on the cookie and do not say so", audited, wrong), "0")
}

// answerTo returns what a server answers to a request.
func answerTo(t *testing.T, addr, request string) *http.Response {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, handshakeTimeout)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(handshakeTimeout)))
	_, err = io.WriteString(conn, request)
	must(t, err)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	_ = r.Body.Close()
	return r
}
