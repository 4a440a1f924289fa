package safedial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrForbiddenAddr reports a connection that the address rule does not allow.
var ErrForbiddenAddr = errors.New("safedial: this address is not allowed")

// Dialer opens connections to allowed addresses only. The zero Dialer allows
// public unicast addresses on every port. It is safe for concurrent use.
type Dialer struct {
	// AllowPrivate lifts the address rule, for tests and closed networks.
	AllowPrivate bool
	// Ports, if not empty, are the only ports allowed. AllowPrivate lifts this too.
	Ports []uint16
	// Timeout bounds one DialContext; 0 leaves it to the context.
	Timeout time.Duration
	// Resolver looks names up; nil is the system's. The rule does not rely on it.
	Resolver *net.Resolver
	// Also is a further rule on addresses that passed, "ip:port"; nil is none.
	Also func(network, address string) error
}

// DialContext connects like net.Dialer.DialContext. Every address a name
// resolves to is checked when it is about to be connected to; a refusal wraps
// ErrForbiddenAddr and names the address.
func (d Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	nd := net.Dialer{Timeout: d.Timeout, Control: d.control, Resolver: d.Resolver}
	conn, err := nd.DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	return conn, nil
}

func (d Dialer) control(network, address string, _ syscall.RawConn) error {
	if err := d.Check(network, address); err != nil || d.Also == nil {
		return err
	}
	return d.Also(network, address)
}

// Check decides on a resolved address, "ip:port". It wraps ErrForbiddenAddr.
func (d Dialer) Check(network, address string) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return fmt.Errorf("%w: network %q", ErrForbiddenAddr, network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is not a resolved address", ErrForbiddenAddr, address)
	}
	if d.AllowPrivate {
		return nil
	}
	// An IPv4-mapped address is connected to over IPv4: judge that one.
	if a := ap.Addr().Unmap(); !PublicAddr(a) {
		return fmt.Errorf("%w: %s is not a public address", ErrForbiddenAddr, a)
	}
	if len(d.Ports) > 0 && !slices.Contains(d.Ports, ap.Port()) {
		return fmt.Errorf("%w: port %d", ErrForbiddenAddr, ap.Port())
	}
	return nil
}
