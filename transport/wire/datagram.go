package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Datagram types: the first byte. None is a first byte of STUN, DTLS, uTP, the
// BitTorrent DHT or BEP 15, so that all can share a port.
const (
	typeAsk   = 0xC1
	typeToken = 0xC2
	typeInit  = 0xC3
	typeReply = 0xC4
	// typeData plus a channel: C8 control, C9 messages, CA KCP.
	typeData = 0xC8
)

// Lengths in bytes.
const (
	// MaxDatagram is the longest datagram sent: with UDP and IPv6 headers it
	// passes every path of 1,448 bytes and more.
	MaxDatagram = 1400

	nonceSize = 8
	askSize   = 64 // longer than the answer, so that asking cannot amplify
	tokenLen  = 1 + nonceSize + tokenSize + 18
	initHead  = 1 + 4 + tokenSize
	replyHead = 1 + 4
	dataHead  = 1 + 2 + 2
	aeadTag   = 12
	noiseMsg1 = 32 + 32 + 16 + 16 // e, s, tag of s, tag of the payload
	noiseMsg2 = 32 + 16 + replySays
	// replySays is the payload of a Reply: what NAT the accepter is behind, and a grant of its own.
	replySays = 1 + GrantSize

	// Overhead is what a session adds to a packet.
	Overhead = dataHead + aeadTag
	// MaxPacket is the longest packet a session carries.
	MaxPacket = MaxDatagram - Overhead
	// MaxFirst is the longest packet that can ride on the first datagram, behind a channel byte.
	MaxFirst = MaxDatagram - initHead - noiseMsg1 - 1
)

var errDatagram = errors.New("wire: malformed datagram")

// askMsg asks for a token; it is also how a node learns its address.
type askMsg struct{ nonce [nonceSize]byte }

func (m askMsg) append(b []byte) []byte {
	b = append(b, typeAsk)
	b = append(b, m.nonce[:]...)
	return append(b, make([]byte, askSize-1-nonceSize)...)
}

func parseAsk(b []byte) (m askMsg, err error) {
	if len(b) != askSize || b[0] != typeAsk {
		return m, errDatagram
	}
	copy(m.nonce[:], b[1:])
	return m, nil
}

// tokenMsg answers an ask, or a datagram whose token was stale, or opens a
// path through a NAT towards somebody who was introduced.
type tokenMsg struct {
	nonce [nonceSize]byte
	token Token
	addr  netip.AddrPort // of whom it is sent to, as the sender sees it
}

func (m tokenMsg) append(b []byte) []byte {
	b = append(b, typeToken)
	b = append(b, m.nonce[:]...)
	b = append(b, m.token[:]...)
	return appendAddr(b, m.addr)
}

func parseToken(b []byte) (m tokenMsg, err error) {
	if len(b) != tokenLen || b[0] != typeToken {
		return m, errDatagram
	}
	copy(m.nonce[:], b[1:])
	copy(m.token[:], b[1+nonceSize:])
	m.addr = parseAddr(b[1+nonceSize+tokenSize:])
	return m, nil
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	b = append(b, ip[:]...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}

func parseAddr(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])).Unmap(), binary.BigEndian.Uint16(b[16:]))
}

// initMsg opens a session.
type initMsg struct {
	conv  uint32
	token Token
	noise []byte // aliases the datagram
}

func (m initMsg) append(b []byte) []byte {
	b = append(b, typeInit)
	b = binary.BigEndian.AppendUint32(b, m.conv)
	b = append(b, m.token[:]...)
	return append(b, m.noise...)
}

func parseInit(b []byte) (m initMsg, err error) {
	if len(b) < initHead+noiseMsg1 || len(b) > MaxDatagram || b[0] != typeInit {
		return m, errDatagram
	}
	m.conv = binary.BigEndian.Uint32(b[1:])
	copy(m.token[:], b[5:])
	m.noise = b[initHead:]
	return m, nil
}

// replyMsg accepts a session.
type replyMsg struct {
	conv  uint32
	noise []byte // aliases the datagram
}

func (m replyMsg) append(b []byte) []byte {
	b = append(b, typeReply)
	b = binary.BigEndian.AppendUint32(b, m.conv)
	return append(b, m.noise...)
}

func parseReply(b []byte) (m replyMsg, err error) {
	if len(b) != replyHead+noiseMsg2 || b[0] != typeReply {
		return m, errDatagram
	}
	return replyMsg{binary.BigEndian.Uint32(b[1:]), b[replyHead:]}, nil
}

// dataMsg carries one sealed packet. Of what its session's both ends know it repeats as little as tells it apart: half of the
// conv (see sessionKey) and half of the counter (see replayWindow.whole). A reader of 128 KiB gets 260 of them.
type dataMsg struct {
	channel Channel
	conv    uint16 // the lower half
	counter uint16 // the lower half
	sealed  []byte // aliases the datagram
}

func appendDataHead(b []byte, ch Channel, conv uint16, counter uint32) []byte {
	b = append(b, typeData+byte(ch))
	b = binary.BigEndian.AppendUint16(b, conv)
	return binary.BigEndian.AppendUint16(b, uint16(counter))
}

// isData reports whether a datagram that begins with kind is a Data.
func isData(kind byte) bool { return kind >= typeData && kind < typeData+byte(numChannels) }

func parseData(b []byte) (m dataMsg, err error) {
	if len(b) < dataHead+aeadTag || len(b) > MaxDatagram || !isData(b[0]) {
		return m, errDatagram
	}
	return dataMsg{Channel(b[0] - typeData), binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint16(b[3:]), b[dataHead:]}, nil
}
