package roulette

import (
	"errors"
	"fmt"

	"nt/chunker"
)

// ErrBadMessage reports bytes that are no message of this protocol.
var ErrBadMessage = errors.New("roulette: bad message")

// kindEchoes in a message's first byte says that its Timing has an echo.
const kindEchoes = 0x80

// Flag bits of a message's second byte; their meaning depends on the kind.
const (
	flagHeader    = 1 << 0 // WELCOME, PROOF: a header follows
	flagGrant     = 1 << 0 // JOIN, HELLO: a grant ends it
	flagThanks    = 1 << 0 // REQUEST: thanks end it
	flagPending   = 1 << 1 // REQUEST: what is on its way follows
	flagBusy      = 1 << 1 // WELCOME
	flagBlind     = 1 << 1 // DATA
	flagReply     = 1 << 1 // FIRST_HANDSHAKE, RECOMMEND: it is an answer
	flagSilent    = 1 << 2 // WELCOME, REQUEST: most leave without BYE
	flagNeed      = 1 << 2 // HELLO, JOIN: header wanted
	flagMet       = 1 << 1 // JOIN: how many others the sender was named follows
	flagProof     = 1 << 1 // HELLO: proof wanted
	flagSwap      = 1 << 2 // DATA
	flagFew       = 1 << 3 // WELCOME: the seed has few readers
	flagWantPeers = 1 << 3
	flagFor       = 1 << 4 // DATA: stands in for another chunk
	flagAsks      = 1 << 5 // DATA: requests follow
	flagPeers     = 1 << 6 // DATA: introductions follow
	flagBlock     = 1 << 7 // DATA: block number follows
)

// Parse reads one message. The result points into b. Anything that Append would
// not write is refused with an error that wraps ErrBadMessage; nothing is
// allocated for a count that the bytes cannot hold.
func Parse(b []byte) (Message, error) {
	if len(b) > MaxMessage && (len(b) > MaxData || Kind(b[0]&^kindEchoes) != KindData) {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadMessage, len(b))
	}
	r := &reader{b: b}
	first, flags := r.u8(), r.u8()
	kind, t := Kind(first&^kindEchoes), Timing{Sent: r.u16()}
	if first&kindEchoes != 0 {
		t.Echo, t.Lag = r.u16(), r.u16()
		r.bad = r.bad || !t.echoes()
	}
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
		m := &Join{Object: r.object(), NeedHeader: flag(flagNeed)}
		if flag(flagMet) {
			m.Met = r.u8()
		}
		m.Grant = r.grant(flag(flagGrant))
		return m
	case KindWelcome:
		return &Welcome{Header: r.header(flag(flagHeader)), Peers: r.intros(MaxIntros), Busy: flag(flagBusy), Silent: flag(flagSilent), Few: flag(flagFew)}
	case KindHello:
		m := &Hello{Object: r.object(), Class: r.u8(), Classes: r.u8(), Have: r.summary(MaxSummary), Grant: r.grant(flag(flagGrant)),
			NeedHeader: flag(flagNeed), Proof: flag(flagProof), WantPeers: flag(flagWantPeers)}
		r.bad = r.bad || m.Classes == 0 && m.Class != 0 || m.Classes > 0 && m.Class >= m.Classes
		return m
	case KindRequest:
		return &Request{Asks: r.asks(MaxAsks), Have: r.summary(MaxSummary), WantPeers: flag(flagWantPeers), Pending: r.pending(flag(flagPending)), Thanks: r.thanks(flag(flagThanks)), Silent: flag(flagSilent)}
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
	m.Queue, m.Have = r.u8(), r.summary(MaxSummary)
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
	r.bad = r.bad || m.Len == 0 || len(m.Have) > max(MaxSummaryData, m.Len/firstShare) || m.Len > chunker.MaxChunkSize-int(m.Block)*BlockSize
	return m
}
