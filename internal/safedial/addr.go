package safedial

import "net/netip"

// reserved4 reports whether a is in an IPv4 block that is not for public unicast.
// Both tables follow the IANA special-purpose address registries (RFC 6890 and its
// updates); the predicates of net/netip miss more than half of them.
func reserved4(a netip.Addr) bool {
	for _, p := range [...]netip.Prefix{
		v4(0, 0, 0, 0, 8),       // this network
		v4(10, 0, 0, 0, 8),      // private
		v4(100, 64, 0, 0, 10),   // carrier-grade NAT
		v4(127, 0, 0, 0, 8),     // loopback
		v4(169, 254, 0, 0, 16),  // link-local, cloud metadata
		v4(172, 16, 0, 0, 12),   // private
		v4(192, 0, 0, 0, 24),    // protocol assignments, DS-Lite
		v4(192, 0, 2, 0, 24),    // documentation
		v4(192, 31, 196, 0, 24), // AS112
		v4(192, 52, 193, 0, 24), // AMT
		v4(192, 88, 99, 0, 24),  // 6to4 relay anycast
		v4(192, 168, 0, 0, 16),  // private
		v4(192, 175, 48, 0, 24), // AS112
		v4(198, 18, 0, 0, 15),   // benchmarking
		v4(198, 51, 100, 0, 24), // documentation
		v4(203, 0, 113, 0, 24),  // documentation
		v4(224, 0, 0, 0, 4),     // multicast
		v4(240, 0, 0, 0, 4),     // reserved, broadcast
	} {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// reserved6 reports whether a, inside 2000::/3, is in a block that is not for
// public unicast. Everything outside 2000::/3 is refused before.
func reserved6(a netip.Addr) bool {
	for _, p := range [...]netip.Prefix{
		v6("2001::", 23),     // protocol assignments, Teredo, ORCHID
		v6("2001:db8::", 32), // documentation
		v6("2002::", 16),     // 6to4: carries an IPv4 address
		v6("2620:4f:8000::", 48),
		v6("3ffe::", 16), // 6bone, returned
		v6("3fff::", 20), // documentation
	} {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func v4(a, b, c, d byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
}

func v6(s string, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.MustParseAddr(s), bits)
}

// PublicAddr reports whether a is a public unicast address. An IPv6 form that
// carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) is never
// public: such a path could lead to an IPv4 address that is not, and no peer
// needs it. Mapped addresses must be unmapped by whoever accepts them.
func PublicAddr(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	if a.Is4() {
		return !reserved4(a)
	}
	// Global unicast is 2000::/3 alone; the rest is reserved, local or multicast.
	return a.As16()[0]>>5 == 1 && !reserved6(a)
}
