//go:build !linux

package wire

import (
	"errors"
	"net"
	"net/netip"
)

// offload is what the kernel does for a socket: nothing here.
type offload struct{ segment bool }

func newOffload(*net.UDPConn) (o offload) { return o }

func (o *offload) send(*net.UDPConn, []byte, int, netip.AddrPort) error {
	return errors.ErrUnsupported
}

func (o *offload) readSize() int { return MaxDatagram + 1 }

func (o *offload) receive(c *net.UDPConn, b, _ []byte) (n, size int, from netip.AddrPort, err error) {
	n, from, err = c.ReadFromUDPAddrPort(b)
	return n, n, from, err
}
