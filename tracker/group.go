package tracker

import (
	"encoding/binary"
	"net/netip"
)

// Group is a network group: what one party is assumed to be able to fill with
// addresses. Same value, same group; 0 is no group.
type Group uint64

const groupV4 = Group(1) << 63

// WideGroup returns the group that has one vote: the /16 of an IPv4 address, the
// /32 of an IPv6 address.
func WideGroup(a netip.Addr) Group { return prefixGroup(a, 16, 32) }

// NarrowGroup returns the group that shares a quota: /24 or /48.
func NarrowGroup(a netip.Addr) Group { return prefixGroup(a, 24, 48) }

// Widen returns the wide group that a narrow one lies in.
func (g Group) Widen() Group {
	if g == 0 {
		return 0
	}
	if g&groupV4 != 0 {
		return groupV4 | Group(16)<<48 | (g&0xffffff)>>8
	}
	return Group(32)<<48 | (g&0xffffffffffff)>>16
}

// The prefix length is part of the value, so that wide and narrow groups differ:
// bit 63 family, bits 48-54 length, the rest the prefix.
func prefixGroup(a netip.Addr, bits4, bits6 int) Group {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return groupV4 | Group(bits4)<<48 | Group(binary.BigEndian.Uint32(b[:])>>(32-bits4))
	}
	b := a.As16()
	return Group(bits6)<<48 | Group(binary.BigEndian.Uint64(b[:8])>>(64-bits6))
}
