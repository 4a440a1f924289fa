package kcp

import (
	"encoding/binary"
	"time"
)

// rider lets acknowledgements ride on data that goes the same way. A datagram of its own costs an
// acknowledgement a hundred bytes, on a slow path a tenth of what it acknowledges; a
// neighbour that is paid back in kind sends data soon. Who waits for acknowledgements says so
// (pressing), and gets them at once. What una of the data says already is left out (history); most of the time that is all of them.
//
// Pure: time is an argument. The caller serialises.
type rider struct {
	acks   []byte        // segments held back, in KCP's form
	due    time.Duration // when they leave at the latest
	hold   time.Duration // how long they wait
	press  bool          // the peer waits for them
	joined []byte        // scratch: acknowledgements and the data they ride on
}

const (
	// rideTime is how long an acknowledgement waits for data to ride on, after the
	// up to flushEvery that KCP itself holds it. KCP's timeouts learn of both, because
	// they are in every round trip it measures.
	rideTime = 120 * time.Millisecond
	// calmRide is the same while nothing was lost in the session: nobody waits for the acknowledgement to send again what it is of.
	calmRide = 350 * time.Millisecond
	// longestRide is the same on the slowest paths.
	longestRide = 400 * time.Millisecond
	// maxRiding acknowledgements are not held any longer.
	maxRiding = 8
)

// offer takes a packet that KCP wants to send and returns what is to be sent now, in
// KCP's form and in order; either may be empty. prompt says that its acknowledgements were not held.
// room is the longest packet, in bytes. The results are valid until the next call.
func (r *rider) offer(b []byte, room int, now time.Duration) (first, second []byte, prompt bool) {
	if !onlyAcks(b) {
		una := unaOf(b)
		held := beyond(r.take(), una)
		b = withoutSaid(b, una)
		switch {
		case len(held) == 0:
			return b, nil, false
		case len(held)+len(b) > room:
			return held, b, false
		}
		r.joined = append(append(r.joined[:0], held...), b...)
		return r.joined, nil, false
	}
	if len(r.acks) == 0 {
		r.due = now + max(r.hold, rideTime)
	}
	r.acks = append(beyond(r.acks, unaOf(b)), b...)
	if !r.press && len(r.acks) < maxRiding*header {
		return nil, nil, false
	}
	prompt = r.press && len(r.acks) == len(b)
	return r.take(), nil, prompt
}

// overdue returns what has been held long enough, and else how long it may still wait.
func (r *rider) overdue(now time.Duration) (b []byte, wait time.Duration) {
	switch {
	case len(r.acks) == 0:
		return nil, 0
	case now < r.due:
		return nil, r.due - now
	}
	return r.take(), 0
}

func (r *rider) take() []byte {
	b := r.acks
	r.acks, r.press = r.acks[:0], false
	return b
}

// onlyAcks reports whether a packet is nothing but acknowledgements.
func onlyAcks(b []byte) bool {
	only := true
	segments(b, func(h []byte) { only = only && h[4] == cmdAck })
	return only
}

func unaOf(b []byte) uint32 { return binary.LittleEndian.Uint32(b[16:]) }

// beyond returns, in place, those of acknowledgements in KCP's form that una does not say.
func beyond(acks []byte, una uint32) []byte {
	kept := acks[:0]
	segments(acks, func(h []byte) {
		if int32(binary.LittleEndian.Uint32(h[12:])-una) >= 0 {
			kept = append(kept, h...)
		}
	})
	return kept
}

// withoutSaid returns a packet without the acknowledgements at its beginning that una says.
func withoutSaid(b []byte, una uint32) []byte {
	for b[4] == cmdAck && int32(binary.LittleEndian.Uint32(b[12:])-una) < 0 {
		b = b[header:]
	}
	return b
}
