package tracker

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// connBook counts open connections, so that neither one source nor a crowd that
// keeps its connections idle shuts others out.
type connBook struct {
	most      int // of all
	perSource int

	mu       sync.Mutex
	open     map[net.Conn]netip.Prefix
	bySource map[netip.Prefix]int
}

func newConnBook(most int) *connBook {
	return &connBook{most: most, perSource: max(most/8, 8), open: make(map[net.Conn]netip.Prefix), bySource: make(map[netip.Prefix]int)}
}

// state is a http.Server's ConnState: a source with too many connections loses the newest.
func (b *connBook) state(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if !b.enter(c) {
			c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		b.leave(c)
	}
}

func (b *connBook) enter(c net.Conn) bool {
	from := sourceOf(c.RemoteAddr())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[c] = from
	b.bySource[from]++
	return b.bySource[from] <= b.perSource
}

func (b *connBook) leave(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, ok := b.open[c]
	if !ok {
		return
	}
	delete(b.open, c)
	if b.bySource[from]--; b.bySource[from] == 0 {
		delete(b.bySource, from)
	}
}

// crowded says that connections should not be kept for later requests.
func (b *connBook) crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open) > b.most/2
}

// sourceOf returns the IPv4 address or the IPv6 /64; the zero Prefix for what is no
// IP address.
func sourceOf(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	return sourcePrefix(ap.Addr().Unmap().WithZone(""))
}

// sourcePrefix is what counts as one asker: an IPv4 address or an IPv6 /64.
func sourcePrefix(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // fails for the zero Addr only
	return p
}
