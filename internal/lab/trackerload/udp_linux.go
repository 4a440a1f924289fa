package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	burst     = 32
	drainTime = 300 * time.Millisecond
)

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// udpSource is a connected socket with the announcements of its peers.
type udpSource struct {
	fd    int
	asks  [][98]byte
	next  int
	msgs  [burst]mmsghdr
	vecs  [burst]unix.Iovec
	inMsg [burst]mmsghdr
	inVec [burst]unix.Iovec
	in    [burst][2048]byte
}

// runUDP sends and receives in one loop without the scheduler between: what is
// measured is the tracker, not this program.
func runUDP(c config, p *plan) (*result, error) {
	to, err := netip.ParseAddrPort(c.addr)
	if err != nil {
		return nil, err
	}
	var sources []*udpSource
	for s := range c.sources {
		u, err := dialUDP(source(s), to)
		if err != nil {
			return nil, err
		}
		defer unix.Close(u.fd)
		if err := u.prepare(c, p, p.first[s], p.first[s+1]); err != nil {
			return nil, err
		}
		sources = append(sources, u)
	}
	return blast(c, sources), nil
}

func dialUDP(from netip.Addr, to netip.AddrPort) (*udpSource, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20) // as much as the system gives
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
		return nil, fmt.Errorf("binding %v: %w", from, err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return nil, err
	}
	return &udpSource{fd: fd}, nil
}

// prepare asks for a connection id and writes all announcements.
func (u *udpSource) prepare(c config, p *plan, first, end int) error {
	id, err := u.connect()
	if err != nil {
		return err
	}
	for _, peer := range p.peers[first:end] {
		var b [98]byte
		copy(b[:], id)
		b[11] = 1
		copy(b[16:36], p.hashes[peer.hash][:20])
		copy(b[36:56], "-NT0001-")
		binary.BigEndian.PutUint32(b[44:], uint32(first+len(u.asks)))
		b[71] = 1 // left
		binary.BigEndian.PutUint32(b[92:], uint32(c.want))
		binary.BigEndian.PutUint16(b[96:], peer.port)
		u.asks = append(u.asks, b)
	}
	for i := range burst {
		u.vecs[i].SetLen(98)
		u.msgs[i].hdr.Iov = &u.vecs[i]
		u.msgs[i].hdr.SetIovlen(1)
		u.inVec[i].Base = &u.in[i][0]
		u.inVec[i].SetLen(len(u.in[i]))
		u.inMsg[i].hdr.Iov = &u.inVec[i]
		u.inMsg[i].hdr.SetIovlen(1)
	}
	return nil
}

func (u *udpSource) connect() ([]byte, error) {
	for range 20 {
		unix.Write(u.fd, []byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00tran"))
		for range 100 {
			var b [64]byte
			if n, err := unix.Read(u.fd, b[:]); err == nil && n == 16 {
				return b[8:16], nil
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil, errors.New("the tracker does not answer connect")
}

// blast sends at the rate, one burst of a source after the other.
func blast(c config, sources []*udpSource) *result {
	r := &result{}
	start := time.Now()
	end := start.Add(c.length)
	turn, poll := 0, 0
	for now := start; now.Before(end); now = time.Now() {
		if due := int64(now.Sub(start).Seconds()*c.rate) - r.sent; due >= burst {
			r.sent += sources[turn].send(now.Sub(start))
			turn = (turn + 1) % len(sources)
		}
		sources[poll].receive(start, r)
		poll = (poll + 1) % len(sources)
	}
	r.took = time.Since(start)
	for time.Since(start) < c.length+drainTime {
		for _, s := range sources {
			s.receive(start, r)
		}
	}
	return r
}

// send sends a burst; the transaction id is the time.
func (u *udpSource) send(at time.Duration) int64 {
	for i := range burst {
		ask := &u.asks[u.next]
		u.next = (u.next + 1) % len(u.asks)
		binary.BigEndian.PutUint32(ask[12:], uint32(at/time.Microsecond))
		u.vecs[i].Base = &ask[0]
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&u.msgs[0])), burst, 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int64(n)
}

func (u *udpSource) receive(start time.Time, r *result) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&u.inMsg[0])), burst, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return
	}
	now := uint32(time.Since(start) / time.Microsecond)
	for i := range int(n) {
		if u.inMsg[i].n < 20 || u.in[i][3] != 1 {
			r.refused++
			continue
		}
		r.answered++
		r.bytes += int64(u.inMsg[i].n)
		r.latency.add(int64(now - binary.BigEndian.Uint32(u.in[i][4:])))
	}
}
