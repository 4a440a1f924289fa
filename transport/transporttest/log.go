package transporttest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"nt/transport"
)

// Log counts the events of a Fetch. The zero Log is ready to use.
type Log struct {
	mu     sync.Mutex
	events []transport.Event // failures only
	bytes  map[transport.EventKind]int64
}

// Observe is a transport.Request's Observe.
func (l *Log) Observe(e transport.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes == nil {
		l.bytes = make(map[transport.EventKind]int64)
	}
	l.bytes[e.Kind] += int64(e.Bytes)
	if e.Kind == transport.EventBadPeer || e.Kind == transport.EventDeadPeer {
		l.events = append(l.events, e)
	}
}

// Bytes returns the sum of the bytes of one kind of event.
func (l *Log) Bytes(kind transport.EventKind) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes[kind]
}

// Failures returns how many events of a kind tell of the peer at addr.
func (l *Log) Failures(kind transport.EventKind, addr netip.AddrPort) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind == kind && e.Peer.Addr == addr {
			n++
		}
	}
	return n
}

// String lists the failures, for the message of a test that fails.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, e := range l.events {
		fmt.Fprintf(&b, "kind %d, peer %s: %v\n", e.Kind, e.Peer.Addr, e.Err)
	}
	return b.String()
}
