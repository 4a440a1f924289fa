package tracker

import (
	"crypto/subtle"
	"errors"
	mrand "math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"nt/chunker"
	"nt/transport"
)

// Visitor is somebody who asked by one datagram, and what can be done for it. See wire.Query.
type Visitor interface {
	// Room is how long the answer may be, in bytes; less after each Introduce.
	Room() int
	// Introduce lets a peer open its NAT towards the visitor, and reports whether it will.
	Introduce(peer transport.PeerID) bool
	// Token opens a peer's gate to the visitor; nil if there is none.
	Token(peer transport.PeerID) []byte
	// Answer sends the answer, once.
	Answer(b []byte)
}

// JoinConfig sets the limits of the UDP door. Zero fields take the defaults.
type JoinConfig struct {
	Rate       float64 // questions per second and source; default 50
	Burst      int     // default 400
	Sources    int     // remembered; default 16,384
	Concurrent int     // questions at once; default 256
	Token      string  // of a private tracker
	Now        func() time.Time
}

// JoinDoor answers Joins. It is safe for concurrent use.
type JoinDoor struct {
	tracker *Tracker
	limit   *limiter
	slots   chan struct{}
	token   atomic.Pointer[string]
	now     func() time.Time
}

// NewJoinDoor returns the UDP door of a tracker.
func NewJoinDoor(t *Tracker, cfg JoinConfig) *JoinDoor {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &JoinDoor{tracker: t, limit: newLimiter(orElse(cfg.Rate, 50), orElse(cfg.Burst, 400), orElse(cfg.Sources, 1<<14)), slots: make(chan struct{}, orElse(cfg.Concurrent, 256)), now: cfg.Now}
	d.token.Store(&cfg.Token)
	return d
}

// Reconfigure changes what may change while questions come.
func (d *JoinDoor) Reconfigure(rate float64, token string) {
	d.limit.setRate(rate)
	d.token.Store(&token)
}

// Ask answers a question, without waiting: the store may have to ask another node. When too many
// are under way it is dropped, as datagrams are.
func (d *JoinDoor) Ask(from netip.AddrPort, question []byte, v Visitor) {
	select {
	case d.slots <- struct{}{}:
	default:
		d.tracker.refused(refuse(ReasonBusy, "too many questions at once"))
		return
	}
	go func() {
		defer func() { <-d.slots }()
		d.Reply(from, question, v)
	}()
}

// Reply is Ask for who can wait.
func (d *JoinDoor) Reply(from netip.AddrPort, question []byte, v Visitor) {
	v.Answer(d.answer(d.now(), from, question, v))
}

func (d *JoinDoor) answer(now time.Time, from netip.AddrPort, question []byte, v Visitor) []byte {
	d.tracker.count.joins.Add(1)
	d.tracker.count.lookups.Add(1)
	j, err := d.admit(now, from.Addr(), question)
	if err == nil {
		var b []byte
		if b, err = d.tracker.join(now, from, j, v); err == nil {
			return b
		}
	}
	d.tracker.refused(err)
	reason, retry := ReasonUnavailable, 0
	var r *RefusedError
	if errors.As(err, &r) {
		reason = r.Reason
		_, retry = statusOf(reason)
	}
	return appendRefusal(nil, reason, retry)
}

// admit reads a question, and refuses what is too much or not for this tracker.
func (d *JoinDoor) admit(now time.Time, from netip.Addr, question []byte) (Join, error) {
	j, err := ParseJoin(question)
	if err != nil {
		return j, err
	}
	if !d.limit.allow(now, from, 1) {
		return j, refuse(ReasonRate, "too many questions from your address")
	}
	if want := AccessTo(*d.token.Load(), j.Key); subtle.ConstantTimeCompare(want[:], j.Access[:]) != 1 {
		return j, refuse(ReasonToken, "this tracker is private")
	}
	return j, nil
}

const (
	// maxIntroduced peers of an answer are asked to open their NATs.
	maxIntroduced = 3
	// introduceRoom is what an introduction and the peer take at most, in bytes.
	introduceRoom = 129 + 250
	// What an answer and a peer in it take at least.
	answerLeast, peerLeast = 150, 60
)

// join answers one question within the visitor's room.
func (t *Tracker) join(now time.Time, source netip.AddrPort, j Join, v Visitor) ([]byte, error) {
	from := source.Addr()
	req := LookupRequest{Want: j.Want, Port: j.Port, Near: j.Near, Complete: j.Has}
	if req.Want == 0 {
		req.Want = DefaultWant
	}
	fits := max(0, v.Room()-answerLeast)/peerLeast + 1
	capped := fits < req.Want
	req.Want = min(req.Want, fits)
	t.count.keys.Add(1)
	asker := netip.AddrPortFrom(from.Unmap(), req.Port)
	rnd := mrand.New(mrand.NewPCG(t.seed, t.draws.Add(1)))
	r, chosen, err := t.lookup(now, asker, j.Key, req, rnd)
	if err != nil {
		return nil, err
	}
	reading, chosen := t.readers(source, chosen, r.Statements, req, rnd)
	peers := beside(demotedEarly(chosen), reading)
	info := t.Info(now)
	e := newJoinEncoder(v.Room(), Joined{Session: info.Key, Notary: info.Notary, Settling: t.settling(now), Result: r}, t.fmds.get)
	must, may := t.weigh(r.Statements)
	var left struct{ must, may bool }
	for _, l := range must {
		left.must = !e.addStatement(l) || left.must
	}
	tickets := t.cfg.Secret.tickets(now, WideGroup(from))
	introduced := 0
	for _, h := range peers {
		if introduced < maxIntroduced && v.Room()-e.size() > introduceRoom && v.Introduce(h.ID) {
			introduced++
			e.room = v.Room()
		}
		p := joinPeer{id: h.ID, addr: t.endpoint(h.Holder), object: h.Object, transports: h.Transports, ticket: tickets.raw(j.Key, h.ID)[64:], token: v.Token(h.ID), reading: h.reading}
		if !e.addPeer(p) {
			break
		}
	}
	told := e.count.peers
	for _, l := range may {
		left.may = !e.addStatement(l) || left.may
	}
	return e.bytes(left.must, left.may, told < len(peers) || capped && len(peers) == req.Want), nil
}

// demotedEarly moves the last of the chosen, a place that is kept for peers that were reported, to the second
// place: where only a few fit, slander must not hide a peer either (security row 10).
func demotedEarly(chosen []Holder) []Holder {
	if n := len(chosen); n > 2 {
		last := chosen[n-1]
		copy(chosen[2:], chosen[1:n-1])
		chosen[1] = last
	}
	return chosen
}

// weigh puts the statements apart without which a verdict may be wrong, the own notary's and one of each version,
// and those that say the same once more.
func (t *Tracker) weigh(all LoggedList) (must, may LoggedList) {
	seen := make(map[chunker.ObjectID]bool)
	for _, l := range all {
		if t.cfg.Notary != nil && l.Statement.Witness == t.cfg.Notary.Key() {
			seen[l.Statement.Object] = true
			must = append(must, l)
		}
	}
	for _, l := range all {
		switch {
		case t.cfg.Notary != nil && l.Statement.Witness == t.cfg.Notary.Key():
		case !seen[l.Statement.Object]:
			seen[l.Statement.Object] = true
			must = append(must, l)
		default:
			may = append(may, l)
		}
	}
	return must, may
}
