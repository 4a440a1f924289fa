package wire

import (
	"encoding/binary"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offload is what the kernel does for a socket: cut a long buffer into datagrams
// (UDP_SEGMENT, Linux 4.18) and hand over several that came together as one (UDP_GRO, Linux 5.0).
type offload struct {
	segment, coalesce bool
	oob               []byte // the writer's
}

func newOffload(c *net.UDPConn) (o offload) {
	raw, err := c.SyscallConn()
	if err != nil {
		return o
	}
	o.oob = make([]byte, unix.CmsgSpace(2))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&o.oob[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	_ = raw.Control(func(fd uintptr) {
		_, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		o.segment = err == nil
		o.coalesce = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	})
	return o
}

// send writes datagrams of size bytes in one system call.
func (o *offload) send(c *net.UDPConn, b []byte, size int, to netip.AddrPort) error {
	binary.NativeEndian.PutUint16(o.oob[unix.CmsgLen(0):], uint16(size))
	_, _, err := c.WriteMsgUDPAddrPort(b, o.oob, to)
	return err
}

// readSize is how long a buffer for receive must be.
func (o *offload) readSize() int {
	if o.coalesce {
		return 1 << 16
	}
	return MaxDatagram + 1
}

// receive reads one datagram, or several of size bytes of which the last may be shorter.
func (o *offload) receive(c *net.UDPConn, b, oob []byte) (n, size int, from netip.AddrPort, err error) {
	if !o.coalesce {
		n, from, err = c.ReadFromUDPAddrPort(b)
		return n, n, from, err
	}
	n, oobn, _, from, err := c.ReadMsgUDPAddrPort(b, oob)
	return n, segmentSize(oob[:oobn], n), from, err
}

// segmentSize finds the length of each datagram in what receive read; n if it is one.
func segmentSize(oob []byte, n int) int {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 2 {
			if size := int(binary.NativeEndian.Uint16(data)); size > 0 {
				return size
			}
		}
		oob = rest
	}
	return n
}
