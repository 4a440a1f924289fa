package tracker

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"net/http"
	"net/netip"
	"slices"

	"nt/chunker"
	"nt/internal/resource"
	"nt/transport"
)

// Parts of an answer to a Join.
const (
	joinTicket = ticketSize - 64 // key and peer are known
	joinToken  = 16
	joinGroup  = 8

	peerV6      = 1
	peerToken   = 2
	peerReading = 4

	loggedGroup = 1
	loggedPlace = 2
)

// joinPeer is a holder in an answer.
type joinPeer struct {
	id         transport.PeerID
	addr       netip.AddrPort
	object     chunker.ObjectID
	transports []string
	ticket     []byte // joinTicket bytes
	token      []byte // joinToken bytes, or none
	reading    bool
}

// append appends: flags 1 | id 32 | IP 4 or 16 | port 2 | object 1 | transports 2 | ticket 20 | [token 16].
func (p joinPeer) append(b []byte, object byte, mask uint16) []byte {
	ip := p.addr.Addr().AsSlice()
	var flags byte
	if len(ip) == 16 {
		flags |= peerV6
	}
	if len(p.token) == joinToken {
		flags |= peerToken
	}
	if p.reading {
		flags |= peerReading
	}
	b = append(append(b, flags), p.id[:]...)
	b = append(b, ip...)
	b = binary.BigEndian.AppendUint16(b, p.addr.Port())
	b = append(b, object)
	b = binary.BigEndian.AppendUint16(b, mask)
	b = append(b, p.ticket...)
	if len(p.token) == joinToken {
		b = append(b, p.token...)
	}
	return b
}

func (r *joinReader) peer(key resource.Key, objects []chunker.ObjectID, names []string) (p PeerEntry) {
	flags := r.byte()
	copy(p.ID[:], r.bytes(32))
	ip := 4
	if flags&peerV6 != 0 {
		ip = 16
	}
	addr, _ := netip.AddrFromSlice(r.bytes(ip))
	p.Addr = netip.AddrPortFrom(addr, r.uint16()).String()
	p.Object = r.pick(objects)
	mask := r.uint16()
	for i, name := range names {
		if mask&(1<<i) != 0 && len(p.Transports) < MaxTransports {
			p.Transports = append(p.Transports, name)
		}
	}
	if mask>>len(names) != 0 || flags&^(peerV6|peerToken|peerReading) != 0 {
		r.bad = true
	}
	p.Reading = flags&peerReading != 0
	ticket := append(append(append([]byte(nil), key[:]...), p.ID[:]...), r.bytes(joinTicket)...)
	p.Ticket = base64.RawURLEncoding.EncodeToString(ticket)
	if flags&peerToken != 0 {
		p.Token = append([]byte(nil), r.bytes(joinToken)...)
	}
	return p
}

// appendLogged appends: object 1 | size 8 | status 2 | observed 8 | witness 32 | signature 64 | logged 8 | since 8 |
// flags 1 | [group 8] | [log 8 | seq 4 | prev 32] | fields 1 | each: name length 1, name, value length 2, value. nil if it cannot be told so.
func appendLogged(b []byte, object byte, l Logged) []byte {
	st := l.Statement
	b = append(b, object)
	b = binary.BigEndian.AppendUint64(b, uint64(st.Size))
	b = binary.BigEndian.AppendUint16(b, uint16(st.Status))
	b = binary.BigEndian.AppendUint64(b, uint64(st.ObservedAt))
	b = append(append(b, st.Witness[:]...), st.Signature[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.LoggedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(l.KeySince))
	group, err := hex.DecodeString(l.Group)
	if err != nil || len(group) != 0 && len(group) != joinGroup {
		return nil
	}
	flags := byte(len(group) / joinGroup) // loggedGroup, or 0
	if st.Place.Seq != 0 {
		flags |= loggedPlace
	}
	b = append(append(b, flags), group...)
	if st.Place.Seq != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(st.Place.Log))
		b = append(binary.BigEndian.AppendUint32(b, st.Place.Seq), st.Place.Prev[:]...)
	}
	fields := 0
	at := len(b)
	b = append(b, 0)
	for _, name := range slices.Sorted(maps.Keys(st.Header)) {
		for _, v := range st.Header[name] {
			fields++
			if len(name) > 255 || len(v) > 1<<16-1 {
				return nil
			}
			b = append(append(b, byte(len(name))), name...)
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
		}
	}
	if fields > resource.MaxHeaderFields {
		return nil
	}
	b[at] = byte(fields)
	return b
}

func (r *joinReader) logged(key resource.Key, objects []chunker.ObjectID) (l Logged) {
	st := resource.Statement{Key: key, Object: r.pick(objects), Size: int64(r.uint64()), Status: int(r.uint16()), ObservedAt: int64(r.uint64())}
	copy(st.Witness[:], r.bytes(32))
	copy(st.Signature[:], r.bytes(64))
	l.LoggedAt, l.KeySince = int64(r.uint64()), int64(r.uint64())
	flags := r.byte()
	if flags&loggedGroup != 0 {
		l.Group = hex.EncodeToString(r.bytes(joinGroup))
	}
	if flags&loggedPlace != 0 {
		st.Place = resource.Place{Log: int64(r.uint64()), Seq: r.uint32()}
		copy(st.Place.Prev[:], r.bytes(len(st.Place.Prev)))
	}
	r.bad = r.bad || flags&^(loggedGroup|loggedPlace) != 0 || flags&loggedPlace != 0 && st.Place.Seq == 0
	n := int(r.byte())
	if n > resource.MaxHeaderFields {
		r.bad = true
	}
	st.Header = http.Header{}
	for i := 0; i < n && !r.bad; i++ {
		name := string(r.bytes(int(r.byte())))
		st.Header[name] = append(st.Header[name], string(r.bytes(int(r.uint16()))))
	}
	l.Statement = st
	return l
}

// ParseJoined reads an answer about a key. Errors are *RefusedError with ReasonMalformed.
func ParseJoined(key resource.Key, b []byte) (j Joined, err error) {
	r := &joinReader{b: b}
	version, flags := r.byte(), r.byte()
	if version != joinVersion || flags&^(joinedRefused|joinedPartial|joinedMore|joinedSession|joinedNotary|joinedEcho) != 0 {
		return j, refuse(ReasonMalformed, "the answer is none of version %d", joinVersion)
	}
	if flags&joinedRefused != 0 {
		j.RetryAfter = int(r.byte())
		j.Refused = Reason(r.bytes(int(r.byte())))
		if j.Refused == "" || r.bad || len(r.b) > 0 || len(j.Refused) > 64 {
			return Joined{}, refuse(ReasonMalformed, "the refusal is not whole")
		}
		return j, nil
	}
	j.Partial, j.Echoes, j.More = flags&joinedPartial != 0, flags&joinedEcho != 0, flags&joinedMore != 0
	if flags&joinedSession != 0 {
		j.Session = new(transport.PeerID)
		copy(j.Session[:], r.bytes(32))
	}
	if flags&joinedNotary != 0 {
		j.Notary = new(resource.WitnessKey)
		copy(j.Notary[:], r.bytes(32))
	}
	j.Settling = int64(r.uint32())
	j.Result = Result{Key: key, FirstOutage: int64(r.uint64()), Peers: Peers{}, Statements: LoggedList{}}
	r.lists(&j.Result)
	if r.bad || len(r.b) > 0 {
		return Joined{}, refuse(ReasonMalformed, "the answer is not whole")
	}
	return j, nil
}

// lists reads names, objects, statements and peers.
func (r *joinReader) lists(res *Result) {
	var names []string
	for n := r.count(maxJoinNames); n > 0 && !r.bad; n-- {
		name := string(r.bytes(int(r.byte())))
		r.bad = r.bad || !validTransport(name)
		names = append(names, name)
	}
	var objects []chunker.ObjectID
	for n := r.count(MaxStatements + MaxWant); n > 0 && !r.bad; n-- {
		objects = append(objects, r.objectID(res))
	}
	for n := r.count(MaxStatements); n > 0 && !r.bad; n-- {
		res.Statements = append(res.Statements, r.logged(res.Key, objects))
	}
	for n := r.count(MaxWant); n > 0 && !r.bad; n-- {
		res.Peers = append(res.Peers, r.peer(res.Key, objects, names))
	}
}

// objectID reads an object's header, which names it, or its name alone.
func (r *joinReader) objectID(res *Result) (id chunker.ObjectID) {
	switch r.byte() {
	case 0:
		copy(id[:], r.bytes(32))
	case 1:
		h, err := chunker.ParseHeader(r.bytes(chunker.HeaderSize))
		if err != nil {
			r.bad = true
			return id
		}
		res.FMDs = append(res.FMDs, FMD(h.AppendBinary(nil)))
		id = h.ID()
	default:
		r.bad = true
	}
	return id
}

// joinReader reads fields; after the first that is not there everything is zero.
type joinReader struct {
	b   []byte
	bad bool
}

var zeros [64]byte

func (r *joinReader) bytes(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return zeros[:min(n, len(zeros))]
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *joinReader) byte() byte     { return r.bytes(1)[0] }
func (r *joinReader) uint16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *joinReader) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *joinReader) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *joinReader) count(most int) int {
	n := int(r.byte())
	if n > most {
		r.bad = true
		return 0
	}
	return n
}

func (r *joinReader) pick(objects []chunker.ObjectID) (id chunker.ObjectID) {
	if n := int(r.byte()); n < len(objects) {
		return objects[n]
	}
	r.bad = true
	return id
}
