package modes

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"
)

// fakeDNS answers sN.fixed.example.com with the Nth special address, and sN.flip.example.com
// in turns with a public one and that.
type fakeDNS struct{ asked atomic.Int64 }

func (d *fakeDNS) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go d.serve(far)
		return near, nil
	}}
}

// serve speaks DNS over a stream: every message has its length before it.
func (d *fakeDNS) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		ask := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, ask); err != nil {
			return
		}
		answer := d.answer(ask)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func (d *fakeDNS) answer(ask []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(ask) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	a, ok := d.lookup(strings.TrimSuffix(q.Name.String(), "."))
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
	}
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	switch {
	case ok && q.Type == dnsmessage.TypeA && a.Is4():
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: a.As4()}}}
	case ok && q.Type == dnsmessage.TypeAAAA && !a.Is4():
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

func (d *fakeDNS) lookup(name string) (netip.Addr, bool) {
	label, zone, _ := strings.Cut(name, ".")
	i, err := strconv.Atoi(strings.TrimPrefix(label, "s"))
	if err != nil || i >= len(special()) {
		return netip.Addr{}, false
	}
	n := d.asked.Add(1)
	switch {
	case zone == "fixed.example.com", zone == "flip.example.com" && n/2%2 == 1: // A and AAAA are asked for together
		return netip.MustParseAddr(special()[i]), true
	case zone == "flip.example.com":
		return netip.MustParseAddr(publicAddress), true
	}
	return netip.Addr{}, false
}
