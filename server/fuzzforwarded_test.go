package server

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
)

// FuzzForwarded reads X-Forwarded-For and X-Forwarded-Proto. Whoever stands before the first hop that is not
// trusted has no say in the result, and neither has a peer that is no proxy.
func FuzzForwarded(f *testing.F) {
	s := New(nil, nil, Config{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}})
	proxy, stranger := netip.MustParseAddrPort("10.1.2.3:4"), netip.MustParseAddrPort("192.0.2.1:5")
	f.Fuzz(func(t *testing.T, hops, proto, spoofed string) {
		fields := consumers.Header{{Name: "x-forwarded-for", Value: hops}, {Name: "x-forwarded-proto", Value: proto}}
		if o := s.originOf(stranger, fields); o.client != stranger || o.secure {
			t.Errorf("a stranger's word was believed: %v", o)
		}
		o := s.originOf(proxy, fields)
		if want := naiveOrigin(s, proxy, hops); o.client != want {
			t.Errorf("client of %q = %v, want %v", hops, o.client, want)
		}
		if o.secure && !strings.HasSuffix(strings.ToLower(proto), "https") && !strings.HasSuffix(proto, " ") && !strings.HasSuffix(proto, "\t") {
			t.Errorf("%q counts as https", proto)
		}
		if s.trusts(o.client.Addr()) {
			return // nobody but proxies so far: a further hop counts
		}
		fields[0].Value = spoofed + "," + hops
		if with := s.originOf(proxy, fields); with != o {
			t.Errorf("%q before %q made %v of %v", spoofed, hops, with, o)
		}
	})
}

// naiveOrigin is originOf's rule, written down once more: of the hops from the right, the first that is no
// proxy, or the last that can be read.
func naiveOrigin(s *Server, peer netip.AddrPort, hops string) netip.AddrPort {
	client := peer
	all := strings.Split(hops, ",")
	for len(all) > 0 {
		hop, ok := parseHop(strings.Trim(all[len(all)-1], " \t"))
		if !ok {
			break
		}
		client = hop
		if !s.trusts(hop.Addr()) {
			break
		}
		all = all[:len(all)-1]
	}
	return client
}
