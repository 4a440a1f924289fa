package roulette

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"nt/chunker"
	"nt/transport"
)

// ErrBadMessage reports bytes that are no message of this protocol.
var ErrBadMessage = errors.New("roulette: bad message")

// Flag bits of a message's second byte; their meaning depends on the kind.
const (
	flagHeader    = 1 << 0 // WELCOME, PROOF: a header follows
	flagGrant     = 1 << 0 // JOIN, HELLO: a grant ends it
	flagBusy      = 1 << 1 // WELCOME
	flagBlind     = 1 << 1 // DATA
	flagReply     = 1 << 1 // FIRST_HANDSHAKE, RECOMMEND: it is an answer
	flagNeed      = 1 << 2 // HELLO: header wanted
	flagProof     = 1 << 1 // HELLO: proof wanted
	flagSwap      = 1 << 2 // DATA
	flagWantPeers = 1 << 3
	flagFor       = 1 << 4 // DATA: stands in for another chunk
	flagAsks      = 1 << 5 // DATA: requests follow
	flagPeers     = 1 << 6 // DATA: introductions follow
	flagBlock     = 1 << 7 // DATA: block number follows
)

// Append appends m's wire form to b.
//
//	kind 1 | flags 1 | sent 2 | echo 2 | lag 2 | body by kind
//
// Integers of fixed size are big-endian, the others unsigned varints; lists
// carry their count. docs/wire-roulette.md has every body with examples.
func Append(b []byte, m Message) []byte {
	t := m.Clock()
	b = append(b, byte(m.Kind()), flagsOf(m))
	b = binary.BigEndian.AppendUint16(b, t.Sent)
	b = binary.BigEndian.AppendUint16(b, t.Echo)
	b = binary.BigEndian.AppendUint16(b, t.Lag)
	switch m := m.(type) {
	case *Join:
		b = append(append(b, m.Object[:]...), m.Grant...)
	case *Welcome:
		b = appendIntros(appendHeader(b, m.Header), m.Peers)
	case *Hello:
		b = append(append(b, m.Object[:]...), m.Class, m.Classes)
		b = append(appendBytes(b, m.Have), m.Grant...)
	case *Request:
		b = appendBytes(appendAsks(b, m.Asks), m.Have)
	case *Data:
		b = appendData(b, m)
	case *Proof:
		b = appendHeader(b, m.Header)
		b = append(binary.AppendUvarint(b, uint64(m.Meta)), m.Hashes...)
	case *Status:
		b = appendBytes(append(b, m.Queue), m.Have)
	case *Cancel:
		b = appendChunks(b, m.Chunks)
	case *Rescue:
		b = appendBytes(append(b, m.Object[:]...), m.Have)
	case *NoFile:
		b = append(b, m.Object[:]...)
	case *Recommend:
		b = appendIntros(b, m.Peers)
	case *FirstHandshake:
		b = appendSpans(append(b, m.Object[:]...), m.Intervals)
	case *SecondHandshake:
		b = appendChunks(b, m.Chunks)
	}
	return b
}

func flagsOf(m Message) (f byte) {
	set := func(bit byte, on bool) {
		if on {
			f |= bit
		}
	}
	switch m := m.(type) {
	case *Join:
		set(flagGrant, m.Grant != nil)
	case *Welcome:
		set(flagHeader, m.Header != nil)
		set(flagBusy, m.Busy)
	case *Hello:
		set(flagGrant, m.Grant != nil)
		set(flagNeed, m.NeedHeader)
		set(flagProof, m.Proof)
		set(flagWantPeers, m.WantPeers)
	case *Request:
		set(flagWantPeers, m.WantPeers)
	case *Data:
		set(flagBlind, m.Blind)
		set(flagSwap, m.Swap != 0)
		set(flagWantPeers, m.WantPeers)
		set(flagFor, m.For != m.Chunk)
		set(flagAsks, len(m.Asks) > 0)
		set(flagPeers, len(m.Peers) > 0)
		set(flagBlock, m.Block != 0)
	case *Proof:
		set(flagHeader, m.Header != nil)
	case *Status:
		set(flagWantPeers, m.WantPeers)
	case *Recommend:
		set(flagReply, !m.Want)
	case *FirstHandshake:
		set(flagReply, m.Reply)
	}
	return f
}

func appendData(b []byte, m *Data) []byte {
	b = binary.AppendUvarint(b, uint64(m.Chunk))
	if m.Block != 0 {
		b = append(b, m.Block)
	}
	if m.For != m.Chunk {
		b = binary.AppendUvarint(b, uint64(m.For))
	}
	b = appendBytes(append(b, m.Queue), m.Have)
	if m.Swap != 0 {
		b = binary.AppendUvarint(b, uint64(m.Swap-1))
	}
	if len(m.Asks) > 0 {
		b = appendAsks(b, m.Asks)
	}
	if len(m.Peers) > 0 {
		b = appendIntros(b, m.Peers)
	}
	return append(b, m.Payload...)
}

func appendHeader(b []byte, h *chunker.Header) []byte {
	if h == nil {
		return b
	}
	return h.AppendBinary(b)
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendChunks(b []byte, v []uint32) []byte {
	b = append(b, byte(len(v)))
	for _, c := range v {
		b = binary.AppendUvarint(b, uint64(c))
	}
	return b
}

func appendSpans(b []byte, v []Span) []byte {
	b = append(b, byte(len(v)))
	for _, s := range v {
		b = binary.AppendUvarint(b, uint64(s.Start))
		b = binary.AppendUvarint(b, uint64(s.End-s.Start))
	}
	return b
}

// An Ask is chunk<<3 | part<<2 | any<<1 | proof, and if part, first
// and count; both 0 is a request for the proof only.
func appendAsks(b []byte, v []Ask) []byte {
	b = append(b, byte(len(v)))
	for _, a := range v {
		u := uint64(a.Chunk) << 3
		if a.Count != 0 || a.ProofOnly {
			u |= 4
		}
		if a.Any {
			u |= 2
		}
		if a.Proof {
			u |= 1
		}
		b = binary.AppendUvarint(b, u)
		if u&4 != 0 {
			b = append(b, a.First, a.Count)
		}
	}
	return b
}

func appendIntros(b []byte, v []Introduction) []byte {
	b = append(b, byte(len(v)))
	for _, in := range v {
		ip := in.Peer.Addr.Addr().AsSlice()
		b = append(append(b, byte(len(ip))), ip...)
		b = binary.BigEndian.AppendUint16(b, in.Peer.Addr.Port())
		b = append(b, in.Peer.ID[:]...)
		b = append(append(b, byte(len(in.Token))), in.Token...)
	}
	return b
}

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

// Parse reads one message. The result points into b. Anything that Append would
// not write is refused with an error that wraps ErrBadMessage; nothing is
// allocated for a count that the bytes cannot hold.
func Parse(b []byte) (Message, error) {
	if len(b) > MaxMessage && (len(b) > MaxData || Kind(b[0]) != KindData) {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadMessage, len(b))
	}
	r := &reader{b: b}
	kind, flags := Kind(r.u8()), r.u8()
	t := Timing{Sent: r.u16(), Echo: r.u16(), Lag: r.u16()}
	if r.bad || kind == 0 || kind >= kindEnd {
		return nil, fmt.Errorf("%w: no such kind %d", ErrBadMessage, kind)
	}
	m := parseBody(r, kind, func(bit byte) bool { return flags&bit != 0 })
	if r.bad || len(r.b) != 0 || flagsOf(m) != flags {
		return nil, fmt.Errorf("%w: malformed %v of %d bytes", ErrBadMessage, kind, len(b))
	}
	*m.Clock() = t
	return m, nil
}

func parseBody(r *reader, kind Kind, flag func(byte) bool) Message {
	switch kind {
	case KindJoin:
		return &Join{Object: r.object(), Grant: r.grant(flag(flagGrant))}
	case KindWelcome:
		return &Welcome{Header: r.header(flag(flagHeader)), Peers: r.intros(MaxIntros), Busy: flag(flagBusy)}
	case KindHello:
		m := &Hello{Object: r.object(), Class: r.u8(), Classes: r.u8(), Have: r.summary(MaxSummary), Grant: r.grant(flag(flagGrant)),
			NeedHeader: flag(flagNeed), Proof: flag(flagProof), WantPeers: flag(flagWantPeers)}
		r.bad = r.bad || m.Classes == 0 && m.Class != 0 || m.Classes > 0 && m.Class >= m.Classes
		return m
	case KindRequest:
		return &Request{Asks: r.asks(MaxAsks), Have: r.summary(MaxSummary), WantPeers: flag(flagWantPeers)}
	case KindData:
		return parseData(r, flag)
	case KindProof:
		m := &Proof{Header: r.header(flag(flagHeader)), Meta: r.chunk()}
		m.Hashes = r.bytes(len(r.b))
		return m
	case KindStatus:
		return &Status{Queue: r.u8(), Have: r.summary(MaxSummary), WantPeers: flag(flagWantPeers)}
	case KindCancel:
		return &Cancel{Chunks: r.chunks(MaxAsks)}
	case KindRescue:
		return &Rescue{Object: r.object(), Have: r.summary(MaxSummary)}
	case KindNoFile:
		return &NoFile{Object: r.object()}
	case KindBye:
		return &Bye{}
	case KindRecommend:
		return &Recommend{Want: !flag(flagReply), Peers: r.intros(MaxIntros)}
	case KindFirstHandshake:
		return &FirstHandshake{Object: r.object(), Reply: flag(flagReply), Intervals: r.spans()}
	default:
		return &SecondHandshake{Chunks: r.chunks(MaxBurst)}
	}
}

func parseData(r *reader, flag func(byte) bool) Message {
	m := &Data{Chunk: r.chunk(), Blind: flag(flagBlind), WantPeers: flag(flagWantPeers)}
	if flag(flagBlock) {
		m.Block = r.u8()
	}
	if m.For = m.Chunk; flag(flagFor) {
		m.For = r.chunk()
	}
	m.Queue, m.Have = r.u8(), r.summary(MaxSummaryData)
	if flag(flagSwap) {
		m.Swap = r.chunk() + 1
	}
	if flag(flagAsks) {
		m.Asks = r.asks(MaxAsksData)
	}
	if flag(flagPeers) {
		m.Peers = r.intros(MaxIntrosData)
	}
	m.Len = len(r.b)
	m.Payload = r.bytes(m.Len)
	r.bad = r.bad || m.Len == 0 || m.Len > chunker.MaxChunkSize-int(m.Block)*BlockSize
	return m
}
