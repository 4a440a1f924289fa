package modes

import (
	"context"
	"net"
	"net/netip"
)

// dialFrom returns how to connect to trackers from the address that peers are served on: a
// tracker hands out the address it sees, which on a machine with several would else be
// another one. nil, that is the system's choice, where peers are served on all or on none.
func dialFrom(listen string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(listen)
	if err != nil || ap.Addr().IsUnspecified() {
		return nil
	}
	from := ap.Addr().Unmap()
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if reaches(from, addr) {
			bound := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice(), Zone: from.Zone()}}
			conn, err := bound.DialContext(ctx, network, addr)
			if err == nil || ctx.Err() != nil {
				return conn, err
			} // else a tracker of the other address family, or no way there
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

// reaches reports whether somebody at addr, HOST:PORT, can be reached from an address: from a
// loopback address nobody but this machine.
func reaches(from netip.Addr, addr string) bool {
	if !from.IsLoopback() {
		return true
	}
	to, err := netip.ParseAddrPort(addr)
	return err == nil && to.Addr().IsLoopback() && to.Addr().Is4() == from.Is4()
}
