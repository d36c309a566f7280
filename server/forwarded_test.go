package server

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
)

// headerOf parses lines as "X-Forwarded-For: 1.2.3.4", as a request's head has them.
func headerOf(t *testing.T, lines string) consumers.Header {
	t.Helper()
	h, err := parseHead([]byte("GET / HTTP/1.1\r\n"+strings.ReplaceAll(lines, "\n", "\r\n")+"\r\n\r\n"), 100)
	if err != nil {
		t.Fatal(err)
	}
	return h.fields
}

func TestT40WhoIsBelievedAboutTheClient(t *testing.T) {
	const (
		proxy, proxy6 = "10.0.0.1:1111", "[fd00::1]:1111"
		stranger      = "192.0.2.66:6666"
		unix          = ""
	)
	tests := []struct {
		name   string
		peer   string
		header string
		client string // with port 0 where no port was told
		secure bool
	}{
		{"nothing is told", proxy, "X: y", proxy, false},
		{"a proxy tells", proxy, "X-Forwarded-For: 203.0.113.7", "203.0.113.7:0", false},
		{"a proxy tells the port too", proxy, "X-Forwarded-For: 203.0.113.7:4711", "203.0.113.7:4711", false},
		{"in any case", proxy, "x-FORWARDED-for: 203.0.113.7", "203.0.113.7:0", false},
		{"blanks around", proxy, "X-Forwarded-For: \t 203.0.113.7 \t", "203.0.113.7:0", false},
		{"a stranger is not believed", stranger, "X-Forwarded-For: 203.0.113.7", stranger, false},
		{"a stranger is not believed about TLS", stranger, "X-Forwarded-Proto: https", stranger, false},
		{"a stranger who names a proxy is not believed", stranger, "X-Forwarded-For: 203.0.113.7, 10.0.0.1", stranger, false},
		{"an address beside the network is a stranger", "11.0.0.1:1", "X-Forwarded-For: 203.0.113.7", "11.0.0.1:1", false},
		{"the last address of the network is a proxy", "10.255.255.255:1", "X-Forwarded-For: 203.0.113.7", "203.0.113.7:0", false},

		{"the last hop counts", proxy, "X-Forwarded-For: 198.51.100.1, 203.0.113.7", "203.0.113.7:0", false},
		{"a spoofed proxy before it", proxy, "X-Forwarded-For: 10.0.0.9, 203.0.113.7", "203.0.113.7:0", false},
		{"a spoofed loopback before it", proxy, "X-Forwarded-For: 127.0.0.1, 203.0.113.7", "203.0.113.7:0", false},
		{"a long spoofed list", proxy, "X-Forwarded-For: " + strings.Repeat("127.0.0.1, ", 500) + "203.0.113.7", "203.0.113.7:0", false},
		{"garbage before it", proxy, "X-Forwarded-For: <script>, 203.0.113.7", "203.0.113.7:0", false},
		{"a proxy behind a proxy", proxy, "X-Forwarded-For: 203.0.113.7, 10.0.0.2", "203.0.113.7:0", false},
		{"two proxies behind a proxy", proxy, "X-Forwarded-For: 203.0.113.7, 10.0.0.3, 10.0.0.2", "203.0.113.7:0", false},
		{"what stands before the client does not count", proxy, "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.2", "203.0.113.7:0", false},
		{"all of them proxies: the first", proxy, "X-Forwarded-For: 10.0.0.4, 10.0.0.3", "10.0.0.4:0", false},
		{"no blanks between hops", proxy, "X-Forwarded-For: 198.51.100.1,203.0.113.7,10.0.0.2", "203.0.113.7:0", false},

		{"of two fields the last counts", proxy, "X-Forwarded-For: 203.0.113.7\nX-Forwarded-For: 203.0.113.8", "203.0.113.8:0", false},
		{"two fields are one list in their order", proxy, "X-Forwarded-For: 198.51.100.1, 203.0.113.7\nX-Forwarded-For: 10.0.0.3, 10.0.0.2", "203.0.113.7:0", false},
		{"three fields are one list", proxy, "X-Forwarded-For: 203.0.113.7\nX-Y: z\nX-Forwarded-For: 10.0.0.3\nX-Forwarded-For: 10.0.0.2", "203.0.113.7:0", false},
		{"a client's field before a proxy's is not believed", proxy, "X-Forwarded-For: 127.0.0.1\nX-Forwarded-For: 203.0.113.7", "203.0.113.7:0", false},
		{"a client's field with garbage before a proxy's", proxy, "X-Forwarded-For: <script>\nX-Forwarded-For: 203.0.113.7", "203.0.113.7:0", false},
		{"an underscore makes another name", proxy, "X_Forwarded_For: 203.0.113.7", proxy, false},
		{"an underscore adds nothing", proxy, "X-Forwarded-For: 203.0.113.7\nX_Forwarded_For: 127.0.0.1", "203.0.113.7:0", false},
		{"X-Real-IP is nobody's word", proxy, "X-Real-IP: 203.0.113.7", proxy, false},
		{"Forwarded is nobody's word", proxy, "Forwarded: for=203.0.113.7;proto=https", proxy, false},
		{"X-Forwarded-Host changes nothing", proxy, "X-Forwarded-Host: example.org", proxy, false},

		{"an empty field", proxy, "X-Forwarded-For:", proxy, false},
		{"a comma", proxy, "X-Forwarded-For: ,", proxy, false},
		{"a comma at the end", proxy, "X-Forwarded-For: 203.0.113.7,", proxy, false},
		{"unknown", proxy, "X-Forwarded-For: unknown", proxy, false},
		{"a name", proxy, "X-Forwarded-For: client.example.com", proxy, false},
		{"an obfuscated name", proxy, "X-Forwarded-For: _hidden", proxy, false},
		{"quoted", proxy, `X-Forwarded-For: "203.0.113.7"`, proxy, false},
		{"three numbers", proxy, "X-Forwarded-For: 203.0.113", proxy, false},
		{"octal", proxy, "X-Forwarded-For: 203.0.113.07", proxy, false},
		{"256", proxy, "X-Forwarded-For: 203.0.113.256", proxy, false},
		{"a network", proxy, "X-Forwarded-For: 203.0.113.0/24", proxy, false},
		{"a port that is none", proxy, "X-Forwarded-For: 203.0.113.7:99999", proxy, false},
		{"garbage behind a proxy ends at that proxy", proxy, "X-Forwarded-For: garbage, 10.0.0.2", "10.0.0.2:0", false},

		{"IPv6", proxy, "X-Forwarded-For: 2001:db8::7", "[2001:db8::7]:0", false},
		{"IPv6 in brackets", proxy, "X-Forwarded-For: [2001:db8::7]", "[2001:db8::7]:0", false},
		{"IPv6 with a port", proxy, "X-Forwarded-For: [2001:db8::7]:443", "[2001:db8::7]:443", false},
		{"IPv6 with half a bracket", proxy, "X-Forwarded-For: [2001:db8::7", proxy, false},
		{"IPv4 in brackets", proxy, "X-Forwarded-For: [203.0.113.7]", proxy, false},
		{"IPv4 within IPv6", proxy, "X-Forwarded-For: ::ffff:203.0.113.7", "203.0.113.7:0", false},
		{"a proxy's IPv4 within IPv6", proxy, "X-Forwarded-For: 203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7:0", false},
		{"a zone says nothing here", proxy, "X-Forwarded-For: fe80::1%eth0", "[fe80::1]:0", false},
		{"a zone hides no proxy", proxy, "X-Forwarded-For: 203.0.113.7, fd00::2%eth0", "203.0.113.7:0", false},
		{"a proxy with IPv6", proxy6, "X-Forwarded-For: 2001:db8::7, fd00::2", "[2001:db8::7]:0", false},
		{"a stranger with IPv6", "[2001:db8::66]:6", "X-Forwarded-For: 203.0.113.7", "[2001:db8::66]:6", false},

		{"a unix socket's peer is a proxy", unix, "X-Forwarded-For: 203.0.113.7", "203.0.113.7:0", false},
		{"a unix socket's peer tells nothing", unix, "X: y", "", false},
		{"a unix socket's peer and a spoofed hop", unix, "X-Forwarded-For: 127.0.0.1, 203.0.113.7, 10.0.0.2", "203.0.113.7:0", false},

		{"TLS", proxy, "X-Forwarded-Proto: https", proxy, true},
		{"TLS in any case", proxy, "X-Forwarded-Proto: HTTPS", proxy, true},
		{"no TLS", proxy, "X-Forwarded-Proto: http", proxy, false},
		{"a scheme that is none", proxy, "X-Forwarded-Proto: httpsx", proxy, false},
		{"a scheme with a long s", proxy, "X-Forwarded-Proto: http\u017f", proxy, false},
		{"wss is not what proxies say", proxy, "X-Forwarded-Proto: wss", proxy, false},
		{"the last scheme counts", proxy, "X-Forwarded-Proto: https, http", proxy, false},
		{"a spoofed scheme before it", proxy, "X-Forwarded-Proto: http, https", proxy, true},
		{"two scheme fields are none", proxy, "X-Forwarded-Proto: https\nX-Forwarded-Proto: https", proxy, false},
		{"client and scheme", proxy, "X-Forwarded-For: 203.0.113.7\nX-Forwarded-Proto: https", "203.0.113.7:0", true},
		{"a broken client leaves the scheme", proxy, "X-Forwarded-For: unknown\nX-Forwarded-Proto: https", proxy, true},
		{"a unix socket's scheme", unix, "X-Forwarded-Proto: https", "", true},
	}
	s := New(nil, nil, Config{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}})
	nobody := New(nil, nil, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields := headerOf(t, tt.header)
			peer := addressOf(t, tt.peer)
			got := s.originOf(peer, fields)
			if want := addressOf(t, tt.client); got.client != want || got.secure != tt.secure {
				t.Errorf("client %v, secure %v, want %v, %v", got.client, got.secure, want, tt.secure)
			}
			if got := nobody.originOf(peer, fields); got.client != peer || got.secure {
				t.Errorf("without trusted proxies: client %v, secure %v, want %v, false", got.client, got.secure, peer)
			}
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T40", fmt.Sprintf("%d heads of proxies and of others", len(tests)), fmt.Sprint("failed: ", t.Failed()), "none is believed wrongly")
}

// addressOf parses an address, "" as that of a unix socket.
func addressOf(t *testing.T, s string) netip.AddrPort {
	t.Helper()
	if s == "" {
		return netip.AddrPort{}
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
