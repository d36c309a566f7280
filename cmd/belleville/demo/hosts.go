package demo

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// hostNames returns the names, as in ALLOWED_HOSTS, by which browsers may reach a listener that was opened
// for listen, "host:port". The first one is the one to tell.
func hostNames(listen string, addr net.Addr) []string {
	var names []string
	add := func(more ...string) {
		for _, name := range more {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	host, _, _ := net.SplitHostPort(listen)
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		add(strings.ToLower(host)) // a name, not an address
	}
	ip := addressOf(addr)
	switch {
	case ip.IsUnspecified():
		add("127.0.0.1", "localhost", "[::1]")
		add(ownAddresses()...)
	case ip.IsLoopback():
		add(bracketed(ip), "127.0.0.1", "localhost", "[::1]")
	default:
		add(bracketed(ip))
	}
	return names
}

// addressOf returns the address of a TCP listener.
func addressOf(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// ownAddresses returns the addresses of this machine that others may reach.
func ownAddresses() []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then it is open for this machine alone
	}
	var own []string
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if ip := prefix.Addr().Unmap(); err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			own = append(own, bracketed(ip))
		}
	}
	return own
}

// bracketed writes an address as it stands in a URL.
func bracketed(ip netip.Addr) string {
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// isElsewhere reports whether other machines may reach this one by a name.
func isElsewhere(name string) bool {
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name != "localhost" && (err != nil || !ip.IsLoopback())
}
