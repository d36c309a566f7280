package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
)

// teller tells each client where it came from.
type teller struct{ echo }

// told is what it says.
func told(s *consumers.Scope) string {
	return fmt.Sprintf("%s from %v as %s", s.Scheme, s.Client.Addr(), s.Header.Get("x-name"))
}

func (*teller) Connect(_ context.Context, c *consumers.Conn) error {
	text := told(c.Scope())
	if err := c.Accept(); err != nil {
		return err
	}
	return c.SendText(text)
}

// tellers is an Application of tellers, which tells plain requests too.
func tellers() consumers.Application {
	sockets := consumers.New(func() *teller { return new(teller) })
	plain := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, told(consumers.ScopeFrom(r.Context()))+" over "+r.Proto) // the client may be gone
	}))
	return split{sockets, plain}
}

// split takes WebSockets here and plain requests there.
type split struct{ sockets, plain consumers.Application }

func (s split) Open(ctx context.Context, scope *consumers.Scope) (consumers.Instance, error) {
	if scope.Type == consumers.TypeHTTP {
		return s.plain.Open(ctx, scope)
	}
	return s.sockets.Open(ctx, scope)
}

// behindProxies are settings of a server whose proxies on this machine speak the PROXY protocol.
func behindProxies() server.Config {
	return server.Config{ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

const (
	proxyV1 = "PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n"
	proxyV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x13\x88\x01\xbb"
	fromV1  = "from 203.0.113.7 "
)

func TestAProxySaysWhoseConnectionItIs(t *testing.T) {
	tests := []struct {
		name   string
		header string
		head   string // in place of goodHead
		want   string
	}{
		{"version 1", proxyV1, goodHead, "ws " + fromV1},
		{"version 2", proxyV2, goodHead, "ws " + fromV1},
		{"the proxy itself", "PROXY UNKNOWN\r\n", goodHead, "ws from 127.0.0.1 "},
		{"what the client says of itself does not count", proxyV1, strings.Replace(goodHead, "Host", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nHost", 1), "ws " + fromV1},
		{"what the proxy itself says counts", "PROXY UNKNOWN\r\n", strings.Replace(goodHead, "Host", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nHost", 1), "wss from 192.0.2.1 "},
	}
	onBoth(t, tellers, behindProxies(), func(t *testing.T, s *site) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				for _, bytewise := range []bool{false, true} {
					p := s.raw(t)
					if all := tt.header + tt.head + frame(fText, "early"); bytewise {
						for i := range len(all) {
							p.say(all[i : i+1])
						}
					} else {
						p.say(all)
					}
					p.answer()
					if _, got := p.read(); !strings.HasPrefix(got, tt.want) {
						t.Errorf("message = %q, want %q", got, tt.want)
					}
					if _, got := p.read(); got != "early" {
						t.Errorf("message = %q, want the one that came with the header", got)
					}
				}
			})
		}
		t.Run("plain requests", func(t *testing.T) {
			p := s.raw(t)
			p.say(proxyV1)
			for range 2 { // the first ones are read here, the others by net/http
				p.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if _, body := p.answer(); !strings.HasPrefix(body, "http "+fromV1) {
					t.Errorf("body = %q", body)
				}
			}
			p.say(goodHead) // and taken back from it
			p.answer()
			if _, got := p.read(); !strings.HasPrefix(got, "ws "+fromV1) {
				t.Errorf("message = %q", got)
			}
		})
	})
}

func TestAConnectionThatBeginsWronglyIsClosed(t *testing.T) {
	onBoth(t, tellers, behindProxies(), func(t *testing.T, s *site) {
		for name, begin := range map[string]string{
			"without a header": goodHead, "with a broken one": "PROXY TCP4 x y 1 2\r\n" + goodHead, "with TLS": "\x16\x03\x01",
		} {
			p := s.raw(t)
			p.say(begin)
			if got, _ := io.ReadAll(p.r); len(got) > 0 { // a reset is an end as well
				t.Errorf("%s: the answer is %q, want none", name, got)
			}
		}
	})
}

func TestAHeaderOfSomebodyElseIsNotBelieved(t *testing.T) {
	cfg := behindProxies()
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	onBoth(t, tellers, cfg, func(t *testing.T, s *site) {
		for _, header := range []string{proxyV1, proxyV2} {
			p := s.raw(t)
			p.say(header + goodHead)
			if r, _ := p.answer(); r.StatusCode != http.StatusBadRequest {
				t.Errorf("status = %d, want 400", r.StatusCode)
			}
		}
		p := s.raw(t)
		p.say(goodHead)
		p.answer()
		if _, got := p.read(); !strings.HasPrefix(got, "ws from 127.0.0.1 ") {
			t.Errorf("message = %q", got)
		}
	})
}

func TestTheTimeForAHeaderIsThatOfTheHead(t *testing.T) {
	cfg := behindProxies()
	cfg.HandshakeTimeout = 300 * time.Millisecond
	onBoth(t, tellers, cfg, func(t *testing.T, s *site) {
		start, p := time.Now(), s.raw(t)
		p.say(proxyV1[:10])
		if _, err := p.r.ReadByte(); err == nil {
			t.Error("a header that does not end was answered")
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it was waited for %v", took)
		}
	})
}

func TestClientsOfAProxyAreCountedByTheirAddress(t *testing.T) {
	cfg := behindProxies()
	cfg.MaxConnectionsPerAddress = 2
	onBoth(t, tellers, cfg, func(t *testing.T, s *site) {
		for i, want := range []int{101, 101, 429} {
			p := s.raw(t)
			p.say(proxyV1 + goodHead)
			if r, _ := p.answer(); r.StatusCode != want {
				t.Errorf("connection %d: status = %d, want %d", i, r.StatusCode, want)
			}
		}
		p := s.raw(t)
		p.say(strings.Replace(proxyV1, "203.0.113.7", "203.0.113.8", 1) + goodHead)
		if r, _ := p.answer(); r.StatusCode != 101 {
			t.Errorf("another client: status = %d, want 101", r.StatusCode)
		}
	})
}
