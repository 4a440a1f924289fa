package roulette

import (
	"encoding/binary"
	"net/netip"

	"nt/chunker"
	"nt/transport"
)

// reader takes fields off the front; the first fault sticks and every later
// field is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() byte {
	if v := r.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if v := r.bytes(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

// uvarint reads a varint in its shortest form, at most max.
func (r *reader) uvarint(max uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || v > max || n > 1 && r.b[n-1] == 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

const maxChunkNo = chunker.MaxObjectSize/chunker.MaxChunkSize - 1

func (r *reader) chunk() uint32 { return uint32(r.uvarint(maxChunkNo)) }

func (r *reader) summary(max int) []byte {
	return r.bytes(int(r.uvarint(uint64(max))))
}

// pending reads what is on its way; it is not sent where it tells nothing.
func (r *reader) pending(present bool) []byte {
	if !present {
		return nil
	}
	b := r.summary(MaxSummary)
	r.bad = r.bad || len(b) == 0
	return b
}

func (r *reader) count(max int) int {
	n := int(r.u8())
	if n > max || n > len(r.b) { // every element takes at least a byte
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) object() (id chunker.ObjectID) {
	copy(id[:], r.bytes(len(id)))
	return id
}

func (r *reader) grant(present bool) []byte {
	if !present {
		return nil
	}
	return r.bytes(GrantSize)
}

func (r *reader) header(present bool) *chunker.Header {
	if !present {
		return nil
	}
	h, err := chunker.ParseHeader(r.bytes(chunker.HeaderSize))
	if err != nil {
		r.bad = true
		return nil
	}
	return &h
}

func (r *reader) chunks(max int) []uint32 {
	v := make([]uint32, r.count(max))
	for i := range v {
		v[i] = r.chunk()
	}
	return v
}

func (r *reader) spans() []Span {
	v := make([]Span, r.count(MaxIntervals))
	for i := range v {
		s := r.chunk()
		v[i] = Span{s, s + uint32(r.uvarint(maxChunkNo+1-uint64(s)))}
		if v[i].End == s {
			r.bad = true
		}
	}
	return v
}

func (r *reader) asks(max int) []Ask {
	v := make([]Ask, r.count(max))
	for i := range v {
		u := r.uvarint(maxChunkNo<<3 | 7)
		v[i] = Ask{Chunk: uint32(u >> 3), Any: u&2 != 0, Proof: u&1 != 0}
		if u&4 != 0 {
			v[i].First, v[i].Count = r.u8(), r.u8()
			v[i].ProofOnly = v[i].Count == 0
			if v[i].ProofOnly && (v[i].First != 0 || u&3 != 0) || int(v[i].First)+int(v[i].Count) > chunker.MaxChunkSize/BlockSize {
				r.bad = true
			}
		}
	}
	return v
}

func (r *reader) intros(max int) []Introduction {
	v := make([]Introduction, r.count(max))
	for i := range v {
		ip, ok := netip.AddrFromSlice(r.bytes(int(r.u8())))
		if !ok {
			r.bad = true
		}
		v[i].Peer.Addr = netip.AddrPortFrom(ip, r.u16())
		var id transport.PeerID
		copy(id[:], r.bytes(len(id)))
		v[i].Peer.ID = id
		n := int(r.u8())
		if n > MaxToken {
			r.bad = true
		}
		v[i].Token = r.bytes(n)
	}
	return v
}
