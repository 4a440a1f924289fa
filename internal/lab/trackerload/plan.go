package main

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// plan says who asks for what.
type plan struct {
	hashes [][32]byte // of URLs; a torrent's infohash is the first 20 bytes
	peers  []loadPeer // grouped by source
	first  []int      // of each source: its first peer; one more at the end
}

type loadPeer struct {
	source int
	port   uint16
	hash   int // place in hashes; 0 is the hot one
}

func newPlan(c config) *plan {
	p := &plan{hashes: make([][32]byte, c.urls)}
	rnd := rand.New(rand.NewPCG(c.seed, 1))
	for i := range p.hashes {
		p.hashes[i] = sha256.Sum256(binary.BigEndian.AppendUint64(nil, c.seed<<32|uint64(i)))
	}
	zipf := rand.NewZipf(rnd, 1.1, 1, uint64(max(c.urls-2, 1)))
	for s := range c.sources {
		p.first = append(p.first, len(p.peers))
		for i := range c.peers / c.sources {
			peer := loadPeer{source: s, port: uint16(1024 + i%60_000)}
			if c.unique {
				peer.hash = len(p.peers)
			} else if rnd.Float64() >= c.hot && c.urls > 1 {
				peer.hash = 1 + int(zipf.Uint64())
			}
			p.peers = append(p.peers, peer)
		}
	}
	p.first = append(p.first, len(p.peers))
	return p
}

// source returns the address that source n asks from.
func source(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + n/200), byte(1 + n%200), 1})
}
