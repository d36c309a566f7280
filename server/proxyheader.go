package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// maxProxyHeader bounds a header of version 2 in bytes. Addresses take 52; the rest is what proxies add to them.
const maxProxyHeader = 4 << 10

// The beginnings of the two versions, and how long a line of version 1 may be.
const (
	proxyLine      = "PROXY "
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	maxProxyLine   = 107
)

// errProxyHeader means that a proxy did not begin as it should.
var errProxyHeader = errors.New("server: malformed PROXY protocol header")

// announces reports whether a peer is a proxy that begins each connection with the address of its client.
func (s *Server) announces(peer netip.Addr) bool { return s.cfg.Load().ProxyProtocol && s.trusts(peer) }

// feedPreface collects the header that stands before the first request, and goes on with what follows it. A proxy that
// sends none is cut off: its client's address would be believed to be its own.
func (c *conn) feedPreface(data []byte) (more bool) {
	data = c.joined(data)
	n, client, err := parseProxyHeader(data)
	switch {
	case err != nil:
		c.deaf, c.in = true, nil
		c.server.metrics.broken.WithLabelValues("proxy_header").Inc()
		c.request(wantDrop)
		return false
	case n == 0:
		c.leave(data)
		return true
	}
	c.in = nil
	if client.IsValid() {
		c.from(client)
	}
	c.mu.Lock()
	c.phase = reading // since the same moment: the header is a part of the head, whose time is running
	c.mu.Unlock()
	if client.IsValid() && !c.server.trusts(client.Addr()) && !c.server.admission.locate(&c.ticket, client.Addr()) {
		c.refuseWith(consumers.Response{Status: http.StatusTooManyRequests, Header: retryAfter(), Reason: consumers.ReasonLimit})
		return true
	}
	return c.feedHead(data[n:])
}

// parseProxyHeader reads a header of the PROXY protocol, of version 1 or 2, from the beginning of data. It returns its
// length, 0 while it is not whole, and the client's address, which is invalid where the proxy speaks for itself or
// the client has none.
func parseProxyHeader(data []byte) (n int, client netip.AddrPort, err error) {
	switch {
	case hasBeginning(data, proxySignature):
		return parseProxyBinary(data)
	case hasBeginning(data, proxyLine):
		return parseProxyLine(data)
	}
	return 0, client, errProxyHeader
}

// hasBeginning reports whether data begins as it should, as far as it goes.
func hasBeginning(data []byte, beginning string) bool {
	n := min(len(data), len(beginning))
	return string(data[:n]) == beginning[:n]
}

// parseProxyLine reads version 1, as in "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443".
func parseProxyLine(data []byte) (n int, client netip.AddrPort, err error) {
	window := data[:min(len(data), maxProxyLine)]
	end := bytes.Index(window, []byte("\r\n"))
	if end < 0 {
		if len(window) == maxProxyLine || bytes.IndexByte(window, '\n') >= 0 {
			return 0, client, errProxyHeader
		}
		return 0, client, nil
	}
	words := strings.Split(string(data[len(proxyLine):end]), " ")
	if words[0] == "UNKNOWN" {
		return end + 2, client, nil // whatever else it says does not count
	}
	if len(words) != 5 {
		return 0, client, errProxyHeader
	}
	from, fromErr := netip.ParseAddr(words[1])
	to, toErr := netip.ParseAddr(words[2])
	fromPort, fromOK := parsePort(words[3])
	_, toOK := parsePort(words[4])
	family := map[string]bool{"TCP4": from.Is4() && to.Is4(), "TCP6": from.Is6() && to.Is6()}
	if fromErr != nil || toErr != nil || !fromOK || !toOK || !family[words[0]] || from.Zone() != "" || to.Zone() != "" {
		return 0, client, errProxyHeader
	}
	return end + 2, netip.AddrPortFrom(from.Unmap(), fromPort), nil
}

// parsePort reads a port in decimal digits.
func parsePort(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && (text == "0" || text[0] != '0')
}

// proxyFixed is how long the part of version 2 is that stands before the addresses.
const proxyFixed = len(proxySignature) + 4

// parseProxyBinary reads version 2. What stands behind the addresses is skipped.
func parseProxyBinary(data []byte) (n int, client netip.AddrPort, err error) {
	if len(data) < proxyFixed {
		return 0, client, nil
	}
	command, family := data[len(proxySignature)], data[len(proxySignature)+1]
	n = proxyFixed + int(binary.BigEndian.Uint16(data[len(proxySignature)+2:]))
	size, known := map[byte]int{0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}[family]
	switch {
	case n > maxProxyHeader, command != 0x20 && command != 0x21:
		return 0, client, errProxyHeader
	case command == 0x21 && (!known || n < proxyFixed+size):
		return 0, client, errProxyHeader
	case len(data) < n:
		return 0, client, nil
	case command == 0x20: // the proxy speaks for itself, as to see whether we live
		return n, client, nil
	}
	addresses := data[proxyFixed:]
	switch family {
	case 0x11:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(addresses)), binary.BigEndian.Uint16(addresses[8:]))
	case 0x21:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(addresses)).Unmap(), binary.BigEndian.Uint16(addresses[32:]))
	}
	return n, client, nil
}

// readProxyHeader reads a header from a connection that is read by a goroutine of its own, and what came with it.
func readProxyHeader(nc net.Conn) (rest []byte, client netip.AddrPort, err error) {
	buf := make([]byte, 0, maxProxyHeader)
	for {
		got, err := nc.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+got]
		n, client, malformed := parseProxyHeader(buf)
		switch {
		case malformed != nil:
			return nil, client, malformed
		case n > 0:
			return bytes.Clone(buf[n:]), client, nil
		case err != nil:
			return nil, client, err
		}
	}
}
