package simnet

import (
	"net/netip"
	"time"
)

// NAT is what stands between a host and the network. The names are RFC 3489's, what they
// do is RFC 4787's: mapping decides the outer port, filtering who may answer to it.
type NAT uint8

const (
	// NoNAT is a public address.
	NoNAT NAT = iota
	// FullCone maps and filters independently of the endpoint.
	FullCone
	// PortRestricted maps independently of the endpoint, and lets in only who
	// was sent to at that very address and port.
	PortRestricted
	// Symmetric uses another outer port for each endpoint and lets in nobody else.
	Symmetric
)

// natTable is the state of one NAT. TCP passes from inside only.
type natTable struct {
	kind  NAT
	idle  time.Duration
	inner map[natKey]*natMapping
	outer map[uint16]*natMapping
	next  uint16
}

type natKey struct {
	port uint16         // inside
	to   netip.AddrPort // symmetric only
}

type natMapping struct {
	inside, outside uint16
	used            time.Duration // last time from inside
	sentTo          map[netip.AddrPort]time.Duration
}

func newNATTable(kind NAT, idle time.Duration) *natTable {
	return &natTable{kind: kind, idle: idle, inner: make(map[natKey]*natMapping), outer: make(map[uint16]*natMapping), next: 49152}
}

// out returns the outer port for a datagram from an inner port.
func (t *natTable) out(port uint16, to netip.AddrPort, now time.Duration) uint16 {
	key := natKey{port: port}
	if t.kind == Symmetric {
		key.to = to
	}
	m := t.inner[key]
	if m == nil || now-m.used > t.idle {
		if m != nil {
			delete(t.outer, m.outside)
		}
		m = &natMapping{inside: port, outside: t.pick(port), sentTo: make(map[netip.AddrPort]time.Duration)}
		t.inner[key], t.outer[m.outside] = m, m
	}
	m.used = now
	m.sentTo[to] = now
	return m.outside
}

// pick keeps the inner port if it can, as most do; a symmetric NAT never does.
func (t *natTable) pick(port uint16) uint16 {
	if t.kind != Symmetric && t.outer[port] == nil {
		return port
	}
	for t.outer[t.next] != nil || t.next < 1024 {
		t.next++
	}
	p := t.next
	t.next++
	return p
}

// in returns the inner port for a datagram to an outer one, or false.
func (t *natTable) in(port uint16, from netip.AddrPort, now time.Duration) (uint16, bool) {
	m := t.outer[port]
	if m == nil || now-m.used > t.idle {
		return 0, false
	}
	if t.kind != FullCone {
		if at, ok := m.sentTo[from]; !ok || now-at > t.idle {
			return 0, false
		}
	}
	return m.inside, true
}
