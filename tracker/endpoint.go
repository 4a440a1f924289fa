package tracker

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nt/transport"
)

// Announced endpoints are taken only when something has answered at them (security row 11): the
// store holds nothing that would send readers to somebody who was not asked. A live UDP session
// with the announcer is such an answer, and tells the address itself. See docs/adr/0021.

// Prober asks whether something answers at an endpoint, by what the announced transports speak.
// It gives up when ctx ends.
type Prober interface {
	Probe(ctx context.Context, addr netip.AddrPort, transports []string) bool
}

const (
	// proofHolds is how long an endpoint counts that answered once.
	proofHolds = 30 * time.Minute
	// probeTime is how long an endpoint may take to answer.
	probeTime = 700 * time.Millisecond
	// A peer opens its session when it announces first: it is looked for this often.
	sessionLook = 25 * time.Millisecond
	// maxProbes endpoints are asked at a time, maxGroupProbes of them of one /24 or /48.
	maxProbes      = 1024
	maxGroupProbes = 32
	// maxWaiting bounds the announcements that wait for an endpoint to answer, in items and so many
	// more for each message: their memory, and the requests they keep others from. Who finds no
	// room is told to come again.
	maxWaiting  = 8192
	waitingEach = 32
)

// prove returns the address to hand out for an announcer: the announced one, once it has
// answered, or the one its session comes from.
func (t *Tracker) prove(now time.Time, announced netip.AddrPort, req AnnounceRequest) (netip.AddrPort, error) {
	if t.cfg.Prober == nil {
		return announced, nil
	}
	if seen, ok := t.sessionOf(req.Peer.ID); ok {
		return seen, nil
	}
	if t.proofs.fresh(announced, now) {
		return announced, nil
	}
	p, started := t.proofs.begin(announced)
	if p == nil {
		return announced, refuse(ReasonBusy, "too many endpoints are being asked whether they answer")
	}
	if started {
		go t.probe(p, announced, req.Peer.Transports)
	}
	n := int64(len(req.Items) + waitingEach)
	defer t.proofs.waiting.Add(-n)
	if t.proofs.waiting.Add(n) > maxWaiting {
		return announced, refuse(ReasonBusy, "%s is being asked whether it answers", announced)
	}
	look := time.NewTicker(sessionLook)
	defer look.Stop()
	for {
		select {
		case <-p.done:
			if p.answered {
				return announced, nil
			}
			if seen, ok := t.sessionOf(req.Peer.ID); ok {
				return seen, nil
			}
			return announced, refuse(ReasonSilent, "nothing answers at %s", announced).
				hint("open that port, or let the UDP session with the tracker come through; it takes a moment")
		case <-look.C:
			if seen, ok := t.sessionOf(req.Peer.ID); ok {
				return seen, nil
			}
		}
	}
}

// probe asks an endpoint and tells who waits for it.
func (t *Tracker) probe(p *probing, addr netip.AddrPort, transports []string) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	t.count.probes.Add(1)
	answered := t.cfg.Prober.Probe(ctx, addr, transports)
	if !answered {
		t.count.silent.Add(1)
	}
	t.proofs.end(p, addr, answered, time.Now())
}

// sessionOf returns where the peer's live session comes from, if that may be handed out.
func (t *Tracker) sessionOf(id transport.PeerID) (netip.AddrPort, bool) {
	if t.cfg.Rendezvous == nil {
		return netip.AddrPort{}, false
	}
	seen, ok := t.cfg.Rendezvous.Endpoint(id)
	if !ok || !t.cfg.AllowPrivate && !t.cfg.PublicAddr(seen.Addr()) {
		return netip.AddrPort{}, false
	}
	return seen, true
}

// proofs remembers which endpoints answered, in memory that is allocated once, and which are being
// asked. What was forgotten is asked again.
type proofs struct {
	seed    maphash.Seed
	slots   [proofBuckets * proofSlots]atomic.Uint64 // 32 bits of the endpoint's hash, minutes of the answer
	waiting atomic.Int64

	mu      sync.Mutex
	asked   map[netip.AddrPort]*probing
	byGroup map[Group]int
}

const (
	proofBuckets = 1 << 13
	proofSlots   = 4
)

// probing is an endpoint that is being asked.
type probing struct {
	done     chan struct{}
	answered bool // when done is closed
}

func newProofs() *proofs {
	return &proofs{seed: maphash.MakeSeed(), asked: map[netip.AddrPort]*probing{}, byGroup: map[Group]int{}}
}

func (p *proofs) bucket(addr netip.AddrPort) (slots []atomic.Uint64, tag uint64) {
	sum := maphash.Comparable(p.seed, addr)
	first := int(sum%proofBuckets) * proofSlots
	return p.slots[first : first+proofSlots], sum >> 32 << 32
}

func minuteOf(now time.Time) uint64 { return uint64(now.Unix()/60) & (1<<32 - 1) }

// fresh reports whether the endpoint answered lately.
func (p *proofs) fresh(addr netip.AddrPort, now time.Time) bool {
	slots, tag := p.bucket(addr)
	for i := range slots {
		if v := slots[i].Load(); v>>32<<32 == tag && minuteOf(now)-v&(1<<32-1) < uint64(proofHolds/time.Minute) {
			return true
		}
	}
	return false
}

// begin joins the asking of an endpoint or starts it; nil if too many are being asked.
func (p *proofs) begin(addr netip.AddrPort) (asking *probing, started bool) {
	g := NarrowGroup(addr.Addr())
	p.mu.Lock()
	defer p.mu.Unlock()
	if asking := p.asked[addr]; asking != nil {
		return asking, false
	}
	if len(p.asked) >= maxProbes || p.byGroup[g] >= maxGroupProbes {
		return nil, false
	}
	asking = &probing{done: make(chan struct{})}
	p.asked[addr] = asking
	p.byGroup[g]++
	return asking, true
}

// end notes what came of asking.
func (p *proofs) end(asking *probing, addr netip.AddrPort, answered bool, now time.Time) {
	if answered {
		p.note(addr, now)
	}
	g := NarrowGroup(addr.Addr())
	p.mu.Lock()
	delete(p.asked, addr)
	if p.byGroup[g]--; p.byGroup[g] <= 0 {
		delete(p.byGroup, g)
	}
	p.mu.Unlock()
	asking.answered = answered
	close(asking.done)
}

// note remembers that an endpoint answered, in the place of the oldest of its bucket.
func (p *proofs) note(addr netip.AddrPort, now time.Time) {
	slots, tag := p.bucket(addr)
	oldest := &slots[0]
	for i := range slots {
		v := slots[i].Load()
		if v>>32<<32 == tag {
			oldest = &slots[i]
			break
		}
		if v&(1<<32-1) < oldest.Load()&(1<<32-1) {
			oldest = &slots[i]
		}
	}
	oldest.Store(tag | minuteOf(now))
}
