package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call moves.
const batchSize = 64

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// batch reads up to batchSize datagrams with one system call and answers them
// with another. It allocates nothing after newBatch. golang.org/x/net/ipv4 would do the same
// with three allocations for every address.
type batch struct {
	raw   syscall.RawConn
	slots [batchSize]slot
	names [batchSize]unix.RawSockaddrInet6 // large enough for IPv4 too
	vecs  [batchSize]unix.Iovec
	msgs  [batchSize]mmsghdr
	outs  [batchSize]mmsghdr
	ovecs [batchSize]unix.Iovec

	recv, send func(fd uintptr) bool // made once: a closure a call would be an allocation
	count      int                   // datagrams read, or answers still to send
	sent       int
	errno      syscall.Errno
}

func newBatch(conn *net.UDPConn) (*batch, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	b := &batch{raw: raw}
	for i := range b.slots {
		b.vecs[i].Base = &b.slots[i].in[0]
		b.vecs[i].SetLen(maxDatagram)
		b.msgs[i].hdr.Iov = &b.vecs[i]
		b.msgs[i].hdr.SetIovlen(1)
		b.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&b.names[i]))
	}
	b.recv, b.send = b.recvOnce, b.sendOnce
	return b, nil
}

func (b *batch) recvOnce(fd uintptr) bool {
	n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.msgs[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
	b.errno = errno
	b.count = int(n)
	return errno != syscall.EAGAIN && errno != syscall.EINTR
}

func (b *batch) sendOnce(fd uintptr) bool {
	n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.outs[b.sent])), uintptr(b.count-b.sent), unix.MSG_DONTWAIT, 0, 0)
	if b.errno = errno; errno == 0 {
		b.sent += int(n)
	}
	return errno != syscall.EAGAIN && errno != syscall.EINTR
}

// read waits for datagrams and returns how many there are.
func (b *batch) read() (int, error) {
	for i := range b.msgs {
		b.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet6
		b.slots[i].ans = 0
	}
	if err := b.raw.Read(b.recv); err != nil {
		return 0, err
	}
	if b.errno != 0 {
		return 0, os.NewSyscallError("recvmmsg", b.errno)
	}
	for i := range b.count {
		b.slots[i].n = int(b.msgs[i].n)
	}
	return b.count, nil
}

// from returns the sender of datagram i, unmapped.
func (b *batch) from(i int) netip.AddrPort {
	name := &b.names[i]
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	switch name.Family {
	case unix.AF_INET:
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port)
	}
	return netip.AddrPort{}
}

// flush sends the answers to where their questions came from. An answer that the
// system does not take is lost, as any datagram may be.
func (b *batch) flush(read int) error {
	n := 0
	for i := range read {
		if b.slots[i].ans == 0 {
			continue
		}
		b.ovecs[n].Base = &b.slots[i].out[0]
		b.ovecs[n].SetLen(b.slots[i].ans)
		b.outs[n].hdr = b.msgs[i].hdr
		b.outs[n].hdr.Iov = &b.ovecs[n]
		n++
	}
	for b.count, b.sent = n, 0; b.sent < n; {
		if err := b.raw.Write(b.send); err != nil {
			return err
		}
		if b.errno != 0 {
			b.sent++ // an unreachable asker must not stop the others' answers
		}
	}
	return nil
}
