package server

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// origin is where a request came from.
type origin struct {
	client netip.AddrPort
	secure bool // the client used TLS
}

// trusts reports whether a peer's forwarding fields are believed.
func (s *Server) trusts(peer netip.Addr) bool {
	if !peer.IsValid() {
		return len(s.cfg.Load().TrustedProxies) > 0 // a unix socket: whoever may open it is a proxy
	}
	for _, p := range s.cfg.Load().TrustedProxies {
		if p.Contains(peer.Unmap()) {
			return true
		}
	}
	return false
}

// originOf says where a request came from: the peer, or who trusted proxies say it is. Of several hops the
// last that is not trusted counts, since all before it are that one's word.
func (s *Server) originOf(peer netip.AddrPort, fields consumers.Header) origin {
	o := origin{client: peer, secure: s.cfg.Load().TLS != nil}
	if !s.trusts(peer.Addr()) {
		return o
	}
	if proto, ok := only(fields, "x-forwarded-proto"); ok {
		o.secure = equalToken(lastOf(proto), "https")
	}
	hops := joinedList(fields, "x-forwarded-for")
	for hops != "" {
		hop := lastOf(hops)
		hops = strings.TrimSuffix(hops[:len(hops)-len(lastRaw(hops))], ",")
		address, ok := parseHop(hop)
		if !ok {
			return o // whatever stands before it cannot be believed
		}
		o.client = address
		if !s.trusts(address.Addr()) {
			return o
		}
	}
	return o
}

// joinedList returns a list that may stand in several fields, which mean the same as one. RFC 9110 §5.3.
func joinedList(fields consumers.Header, name string) string {
	list, n := "", 0
	for v := range fields.Values(name) {
		list = v
		n++
	}
	if n < 2 {
		return list
	}
	return strings.Join(slices.Collect(fields.Values(name)), ",")
}

// only returns a field that is there exactly once.
func only(fields consumers.Header, name string) (string, bool) {
	value, n := "", 0
	for v := range fields.Values(name) {
		value = v
		n++
	}
	return value, n == 1
}

// lastRaw returns what follows the last comma.
func lastRaw(list string) string { return list[strings.LastIndexByte(list, ',')+1:] }

// lastOf returns the last item of a list.
func lastOf(list string) string { return strings.Trim(lastRaw(list), " \t") }

// parseHop reads an address, with or without a port; one of IPv6 may stand in brackets. A zone means nothing
// on this machine.
func parseHop(hop string) (netip.AddrPort, bool) {
	address := hop
	if inner, ok := strings.CutPrefix(hop, "["); ok && strings.HasSuffix(inner, "]") && strings.Contains(inner, ":") {
		address = strings.TrimSuffix(inner, "]")
	}
	if a, err := netip.ParseAddr(address); err == nil {
		return netip.AddrPortFrom(a.WithZone("").Unmap(), 0), true
	}
	ap, err := netip.ParseAddrPort(hop)
	return netip.AddrPortFrom(ap.Addr().WithZone("").Unmap(), ap.Port()), err == nil
}
