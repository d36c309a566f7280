package server

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

// binaryHeader makes a header of version 2.
func binaryHeader(command, family byte, body string) string {
	return proxySignature + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

func TestProxyHeader(t *testing.T) {
	const (
		tcp4 = "\xcb\x00\x71\x07\x0a\x00\x00\x01\x13\x88\x01\xbb"
		tcp6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08" + "\x13\x88\x01\xbb"
	)
	mapped := strings.Repeat("\x00", 10) + "\xff\xff\xcb\x00\x71\x07" + tcp6[16:]
	tests := []struct {
		name   string
		header string
		client string // "" where the proxy's own address stays
		ok     bool
	}{
		{"version 1 over IPv4", "PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n", "203.0.113.7:5000", true},
		{"version 1 over IPv6", "PROXY TCP6 2001:db8::7 2001:db8::8 5000 443\r\n", "[2001:db8::7]:5000", true},
		{"version 1 with IPv4 within IPv6", "PROXY TCP6 ::ffff:203.0.113.7 2001:db8::8 5000 443\r\n", "203.0.113.7:5000", true},
		{"version 1 of a proxy that does not know", "PROXY UNKNOWN\r\n", "", true},
		{"version 1 of a proxy that does not know, and says more", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "", true},
		{"version 1 with the wrong family", "PROXY TCP6 203.0.113.7 10.0.0.1 5000 443\r\n", "", false},
		{"version 1 with a family that is none", "PROXY UDP4 203.0.113.7 10.0.0.1 5000 443\r\n", "", false},
		{"version 1 in lower case", "proxy TCP4 203.0.113.7 10.0.0.1 5000 443\r\n", "", false},
		{"version 1 with a word too few", "PROXY TCP4 203.0.113.7 10.0.0.1 5000\r\n", "", false},
		{"version 1 with a word too many", "PROXY TCP4 203.0.113.7 10.0.0.1 5000 443 x\r\n", "", false},
		{"version 1 with two spaces", "PROXY TCP4  203.0.113.7 10.0.0.1 5000 443\r\n", "", false},
		{"version 1 with a port too large", "PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n", "", false},
		{"version 1 with a sign before the port", "PROXY TCP4 203.0.113.7 10.0.0.1 +5000 443\r\n", "", false},
		{"version 1 with a zero before the port", "PROXY TCP4 203.0.113.7 10.0.0.1 05000 443\r\n", "", false},
		{"version 1 with octal digits", "PROXY TCP4 203.0.113.07 10.0.0.1 5000 443\r\n", "", false},
		{"version 1 with a zone", "PROXY TCP6 fe80::7%eth0 fe80::8 5000 443\r\n", "", false},
		{"version 1 that ends with LF alone", "PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\n", "", false},
		{"version 1 that does not end", "PROXY TCP4 " + strings.Repeat("1", 200), "", false},
		{"version 2 over IPv4", binaryHeader(0x21, 0x11, tcp4), "203.0.113.7:5000", true},
		{"version 2 over IPv6", binaryHeader(0x21, 0x21, tcp6), "[2001:db8::7]:5000", true},
		{"version 2 with IPv4 within IPv6", binaryHeader(0x21, 0x21, mapped), "203.0.113.7:5000", true},
		{"version 2 with more behind the addresses", binaryHeader(0x21, 0x11, tcp4+"\x20\x00\x02xx"), "203.0.113.7:5000", true},
		{"version 2 of a client on a unix socket", binaryHeader(0x21, 0x31, strings.Repeat("/", 216)), "", true},
		{"version 2 of no family", binaryHeader(0x21, 0x00, ""), "", true},
		{"version 2 of the proxy itself", binaryHeader(0x20, 0x00, ""), "", true},
		{"version 2 of the proxy itself, with addresses that do not count", binaryHeader(0x20, 0x11, tcp4), "", true},
		{"version 2 with addresses cut off", binaryHeader(0x21, 0x11, tcp4[:11]), "", false},
		{"version 2 with addresses of IPv4 for IPv6", binaryHeader(0x21, 0x21, tcp4), "", false},
		{"version 2 over UDP", binaryHeader(0x21, 0x12, tcp4), "", false},
		{"version 2 with a command that is none", binaryHeader(0x22, 0x11, tcp4), "", false},
		{"version 3", binaryHeader(0x31, 0x11, tcp4), "", false},
		{"version 2 that is too long", binaryHeader(0x21, 0x11, tcp4+strings.Repeat("x", maxProxyHeader)), "", false},
		{"a request", "GET / HTTP/1.1\r\n\r\n", "", false},
		{"TLS", "\x16\x03\x01\x02\x00\x01", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, rest := netip.AddrPort{}, "GET"
			if tt.client != "" {
				want = netip.MustParseAddrPort(tt.client)
			}
			n, client, err := parseProxyHeader([]byte(tt.header + rest))
			if client != want || (err == nil) != tt.ok || tt.ok && n != len(tt.header) {
				t.Errorf("= %d, %v, %v, want %d, %v, ok %v", n, client, err, len(tt.header), want, tt.ok)
			}
			for i := range tt.header { // what is not whole is waited for, or refused
				if n, _, err := parseProxyHeader([]byte(tt.header[:i])); n != 0 || tt.ok && err != nil {
					t.Fatalf("the first %d bytes: %d, %v", i, n, err)
				}
			}
		})
	}
}

// Headers that another program makes are understood.
func TestProxyHeadersOfOthersAreUnderstood(t *testing.T) {
	for _, version := range []byte{1, 2} {
		for _, from := range []string{"203.0.113.7:5000", "[2001:db8::7]:5000"} {
			want := netip.MustParseAddrPort(from)
			to := net.TCPAddrFromAddrPort(netip.AddrPortFrom(want.Addr().Next(), 443))
			header, err := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(want), to).Format()
			if err != nil {
				t.Fatal(err)
			}
			if n, got, err := parseProxyHeader(header); n != len(header) || got != want || err != nil {
				t.Errorf("version %d: %d, %v, %v, want %d, %v", version, n, got, err, len(header), want)
			}
		}
	}
}

// FuzzProxyHeader reads headers. Where another reader takes one too both read the same, and what follows the header
// changes nothing.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\nGET"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(binaryHeader(0x21, 0x11, "\xcb\x00\x71\x07\x0a\x00\x00\x01\x13\x88\x01\xbb")))
	f.Add([]byte(binaryHeader(0x20, 0x00, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, client, err := parseProxyHeader(data)
		if n < 0 || n > len(data) || n > maxProxyHeader || err != nil && n != 0 || n == 0 && client.IsValid() {
			t.Fatalf("= %d, %v, %v", n, client, err)
		}
		if n == 0 {
			if err == nil && len(data) > maxProxyHeader {
				t.Errorf("%d bytes are not enough", len(data))
			}
			return
		}
		if again, same, err := parseProxyHeader(data[:n]); again != n || same != client || err != nil {
			t.Errorf("without what follows: %d, %v, %v, want %d, %v", again, same, err, n, client)
		}
		other, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(data)))
		if err != nil || !client.IsValid() {
			return
		}
		if from, _, ok := other.TCPAddrs(); ok {
			ap := from.AddrPort()
			if got := netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()); got != client {
				t.Errorf("client = %v, another reader says %v", client, got)
			}
		}
	})
}
