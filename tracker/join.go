package tracker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"nt/chunker"
	"nt/internal/resource"
	"nt/transport"
)

// The one-round-trip lookup ("join") over UDP: what a wire's Query and Answer carry (docs/wire.md).
// Integers are big-endian.
const (
	joinVersion = 1
	joinSize    = 1 + 1 + 1 + 2 + accessSize + 32
	accessSize  = 16

	joinNear     = 1
	joinComplete = 2

	joinedRefused = 1
	joinedPartial = 2 // versions, or the own notary's word, were left out
	joinedMore    = 4 // peers were left out
	joinedSession = 8
	joinedNotary  = 16
	joinedEcho    = 32 // statements about versions that are in the answer were left out

	maxJoinNames = 16 // transports told apart in an answer
)

// Join asks by one datagram what LookupRequest asks for a single key.
type Join struct {
	Key    resource.Key
	Want   int    // peers; 0 leaves it to the tracker
	Port   uint16 // the asker's own serving port, to leave it out
	Near   bool   // peers of the asker's own network group first
	Has    bool   // the asker has everything and wants statements only
	Access Access // of a private tracker; else zeros
}

// Access shows that the asker knows a private tracker's token, for one key.
type Access [accessSize]byte

// AccessTo returns what shows that the asker knows the token, without telling it; zeros without token.
func AccessTo(token string, key resource.Key) (a Access) {
	if token == "" {
		return a
	}
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("nt-join-v1\x00"))
	mac.Write(key[:])
	copy(a[:], mac.Sum(nil))
	return a
}

// Append appends the wire form of j.
func (j Join) Append(b []byte) []byte {
	var flags byte
	if j.Near {
		flags |= joinNear
	}
	if j.Has {
		flags |= joinComplete
	}
	b = append(b, joinVersion, flags, byte(j.Want))
	b = binary.BigEndian.AppendUint16(b, j.Port)
	b = append(b, j.Access[:]...)
	return append(b, j.Key[:]...)
}

// ParseJoin reads what Append wrote. Errors are *RefusedError.
func ParseJoin(b []byte) (j Join, err error) {
	if len(b) != joinSize || b[0] != joinVersion || b[1]&^(joinNear|joinComplete) != 0 || b[2] > MaxWant {
		return j, refuse(ReasonMalformed, "the question is no join of version %d", joinVersion)
	}
	j.Near, j.Has, j.Want = b[1]&joinNear != 0, b[1]&joinComplete != 0, int(b[2])
	j.Port = binary.BigEndian.Uint16(b[3:])
	copy(j.Access[:], b[5:])
	copy(j.Key[:], b[5+accessSize:])
	return j, nil
}

// Joined is the answer to a Join.
type Joined struct {
	Refused    Reason // "" or why there is no more in it
	RetryAfter int    // seconds, of a refusal; 0: asking again does not help
	Session    *transport.PeerID
	Notary     *resource.WitnessKey
	Settling   int64 // seconds, see LookupResponse
	Result     Result
	Partial    bool // versions, or the tracker's own word, were left out: no verdict can do without
	Echoes     bool // more statements about the same versions were left out
	More       bool // peers were left out
}

// joinEncoder writes a Joined of at most room bytes, leaving out what does not fit.
type joinEncoder struct {
	room    int
	head    []byte
	names   []string
	objects []chunker.ObjectID
	count   struct{ statements, peers int }

	nameBuf, objectBuf, statementBuf, peerBuf []byte
	headers                                   func(chunker.ObjectID) (chunker.Header, bool)
}

// appendRefusal appends an answer that is nothing but a refusal.
func appendRefusal(b []byte, reason Reason, retryAfter int) []byte {
	b = append(b, joinVersion, joinedRefused, byte(retryAfter), byte(len(reason)))
	return append(b, reason...)
}

func newJoinEncoder(room int, j Joined, headers func(chunker.ObjectID) (chunker.Header, bool)) *joinEncoder {
	e := &joinEncoder{room: room, headers: headers}
	var flags byte
	if j.Session != nil {
		flags |= joinedSession
	}
	if j.Notary != nil {
		flags |= joinedNotary
	}
	e.head = append(e.head, joinVersion, flags)
	if j.Session != nil {
		e.head = append(e.head, j.Session[:]...)
	}
	if j.Notary != nil {
		e.head = append(e.head, j.Notary[:]...)
	}
	e.head = binary.BigEndian.AppendUint32(e.head, uint32(j.Settling))
	e.head = binary.BigEndian.AppendUint64(e.head, uint64(j.Result.FirstOutage))
	return e
}

// size is how long the answer is by now.
func (e *joinEncoder) size() int {
	return len(e.head) + 4 + len(e.nameBuf) + len(e.objectBuf) + len(e.statementBuf) + len(e.peerBuf)
}

// object returns the number of an object and what must be added for it, if it is new.
func (e *joinEncoder) object(id chunker.ObjectID) (n int, added []byte) {
	for i, o := range e.objects {
		if o == id {
			return i, nil
		}
	}
	if h, ok := e.headers(id); ok {
		return len(e.objects), h.AppendBinary([]byte{1})
	}
	return len(e.objects), append([]byte{0}, id[:]...)
}

// addStatement reports whether there was room for it.
func (e *joinEncoder) addStatement(l Logged) bool {
	n, object := e.object(l.Statement.Object)
	b := appendLogged(nil, byte(n), l)
	if n > 255 || e.count.statements == MaxStatements || b == nil || e.size()+len(object)+len(b) > e.room {
		return false
	}
	e.take(n, l.Statement.Object, object)
	e.statementBuf = append(e.statementBuf, b...)
	e.count.statements++
	return true
}

func (e *joinEncoder) take(n int, id chunker.ObjectID, object []byte) {
	if n == len(e.objects) {
		e.objects = append(e.objects, id)
		e.objectBuf = append(e.objectBuf, object...)
	}
}

// addPeer reports whether there was room for it.
func (e *joinEncoder) addPeer(p joinPeer) bool {
	n, object := e.object(p.object)
	mask, names, added := e.mask(p.transports)
	b := p.append(nil, byte(n), mask)
	if n > 255 || e.count.peers == MaxWant || e.size()+len(object)+len(added)+len(b) > e.room {
		return false
	}
	e.take(n, p.object, object)
	e.names, e.nameBuf = names, append(e.nameBuf, added...)
	e.peerBuf = append(e.peerBuf, b...)
	e.count.peers++
	return true
}

// mask returns the transports as bits of the answer's table, the table, and what must be added to it.
func (e *joinEncoder) mask(transports []string) (mask uint16, names []string, added []byte) {
	names = e.names
	for _, t := range transports {
		at := -1
		for i, name := range names {
			if name == t {
				at = i
			}
		}
		if at < 0 && len(names) < maxJoinNames {
			at = len(names)
			names = append(names[:at:at], t)
			added = append(append(added, byte(len(t))), t...)
		}
		if at >= 0 {
			mask |= 1 << at
		}
	}
	return mask, names, added
}

// bytes returns the answer.
func (e *joinEncoder) bytes(partial, echoes, more bool) []byte {
	set := func(flag byte, on bool) {
		if on {
			e.head[1] |= flag
		}
	}
	set(joinedPartial, partial)
	set(joinedEcho, echoes)
	set(joinedMore, more)
	b := append(e.head, byte(len(e.names)))
	b = append(append(b, e.nameBuf...), byte(len(e.objects)))
	b = append(append(b, e.objectBuf...), byte(e.count.statements))
	b = append(append(b, e.statementBuf...), byte(e.count.peers))
	return append(b, e.peerBuf...)
}
