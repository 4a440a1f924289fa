package roulette

import (
	"encoding/binary"

	"nt/chunker"
)

// Append appends m's wire form to b.
//
//	kind 1 | flags 1 | sent 2 | [echo 2 | lag 2] | body by kind
//
// The highest bit of kind says that echo and lag are there. Integers of fixed size are big-endian, the others unsigned varints; lists
// carry their count. docs/wire-roulette.md has every body with examples.
func Append(b []byte, m Message) []byte {
	t := m.Clock()
	kind := byte(m.Kind())
	if t.echoes() {
		kind |= kindEchoes
	}
	b = binary.BigEndian.AppendUint16(append(b, kind, flagsOf(m)), t.Sent)
	if t.echoes() {
		b = binary.BigEndian.AppendUint16(b, t.Echo)
		b = binary.BigEndian.AppendUint16(b, t.Lag)
	}
	switch m := m.(type) {
	case *Join:
		b = append(b, m.Object[:]...)
		if m.Met > 0 {
			b = append(b, m.Met)
		}
		b = append(b, m.Grant...)
	case *Welcome:
		b = appendIntros(appendHeader(b, m.Header), m.Peers)
	case *Hello:
		b = append(append(b, m.Object[:]...), m.Class, m.Classes)
		b = append(appendBytes(b, m.Have), m.Grant...)
	case *Request:
		b = appendBytes(appendAsks(b, m.Asks), m.Have)
		if len(m.Pending) > 0 {
			b = appendBytes(b, m.Pending)
		}
		b = appendThanks(b, m.Thanks)
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
		set(flagNeed, m.NeedHeader)
		set(flagMet, m.Met > 0)
	case *Welcome:
		set(flagHeader, m.Header != nil)
		set(flagBusy, m.Busy)
		set(flagSilent, m.Silent)
		set(flagFew, m.Few)
	case *Hello:
		set(flagGrant, m.Grant != nil)
		set(flagNeed, m.NeedHeader)
		set(flagProof, m.Proof)
		set(flagWantPeers, m.WantPeers)
	case *Request:
		set(flagWantPeers, m.WantPeers)
		set(flagPending, len(m.Pending) > 0)
		set(flagThanks, len(m.Thanks) > 0)
		set(flagSilent, m.Silent)
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
