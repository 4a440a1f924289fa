package roulette

import (
	"math"
	"time"

	"nt/chunker"
)

// A seed greets a crowd as fast as its uplink bears and no faster: who JOINs waits for WELCOME in the
// order of coming, and WELCOMEs have their share of the uplink beside content. The longer they wait the more of
// those who wait one WELCOME names, so that they are greeted by a reader before it is their turn: a
// crowd that comes at once is introduced ten times as fast as one by one.

// greetings tells how WELCOMEs and content share the uplink.
type greetings struct {
	welcomes, content float64 // bytes of each over its share
}

// welcomeTurn reports whether the next datagram of an uplink that both want is a WELCOME.
func (g *greetings) welcomeTurn() bool { return g.welcomes <= g.content }

// spent accounts for n bytes, of WELCOMEs or of content, of which share of the uplink is for WELCOMEs. alone
// says that the other had nothing to send: it saves nothing up.
func (g *greetings) spent(welcome bool, n, share float64, alone bool) {
	mine, other := &g.content, &g.welcomes
	if welcome {
		mine, other = other, mine
	} else {
		share = 1 - share
	}
	*mine += n / max(share, 1e-3)
	if alone {
		*other = max(*other, *mine)
	}
}

// pacesAll reports whether all that readers ask for waits for the pacer: at a seed, which everybody asks. The 2006 seed
// floods.
func (c *Core) pacesAll() bool { return c.cfg.Seed && c.p.Profile == ProfileTuned }

// joinShare is the part of the uplink that WELCOMEs may take while there is content to send. Nobody can have what the
// seed has not given away: that comes first. Once it has, those inside can serve each other, but nobody else welcomes who comes;
// how many others a WELCOME names follows from this share, too (welcomeList, docs/experiments/causes.md).
func (c *Core) joinShare() float64 {
	content := 1 - c.p.JoinShare
	switch crowd := c.crowdWaits(); {
	case c.n <= tinyChunks, crowd && c.unserved == 0: // of a tiny object chunks go with WELCOME
		return 1 - content/4
	case c.unserved == 0:
		return 1 - content/2
	case crowd:
		return c.p.JoinShare
	}
	return c.p.JoinShare / 4
}

// serveAll sends as many WELCOMEs and blocks as the pacer lets out (R7, R8).
func (c *Core) serveAll() {
	if c.known {
		c.swapNow()
	}
	for c.cfg.Uplink.ready(c.now) {
		guest, v := c.nextGuest(), c.nextToServe()
		before := c.cfg.Uplink.charged
		switch {
		case guest != nil && (v == nil || !c.members.of[guest.id].known && c.greetings.welcomeTurn()):
			c.greet(guest)
			c.greetings.spent(true, c.cfg.Uplink.charged-before, c.joinShare(), v == nil)
		case v != nil:
			c.serve(v)
			c.greetings.spent(false, c.cfg.Uplink.charged-before, c.joinShare(), guest == nil)
		default:
			return
		}
	}
}

// nextGuest returns who is to be welcomed next, nil if nobody waits.
func (c *Core) nextGuest() *neighbour {
	for {
		e := c.members.next()
		if e == nil {
			return nil
		}
		if v := c.byID[e.id]; v != nil {
			return v
		}
		c.members.welcomed(e)
	}
}

// greet answers a JOIN or RESCUE that waited: WELCOME, and the first chunks along with it.
func (c *Core) greet(v *neighbour) {
	e := c.members.of[v.id]
	if c.pushesFirst(v, e) {
		return
	}
	header, list := e.header, c.welcomeList(e.met)
	if e.known { // it has met others
		list = min(list, c.p.JoinMin)
	}
	c.members.welcomed(e)
	crowd := c.members.expire(c.now, c.p.MemberTTL) > c.p.SeedCrowd
	m := &Welcome{Busy: crowd, Silent: c.departures.inSilence(), Few: c.few(), Peers: c.members.pick(c.now, v.id, list, &c.p, c.rng)}
	if header {
		m.Header = &c.header
	}
	c.send(v, m)
	if !e.pushed && c.pacesAll() {
		e.pushed = true
		c.queuePushes(v, len(m.Peers)+e.met)
	}
}

// pushesFirst lets the first chunks of a tiny object go before the WELCOME, and reports whether some are still to go: its
// readers then ask those whom the WELCOME names for what is missing, not for what is on its way.
func (c *Core) pushesFirst(v *neighbour, e *member) bool {
	if c.n == 0 || c.n > tinyChunks || !c.pacesAll() {
		return false
	}
	if !e.pushed {
		e.pushed = true
		c.queuePushes(v, 0)
		if len(v.queued) > 0 {
			v.queued[0].Proof, v.needHeader = true, true
		}
	}
	if len(v.queued) == 0 || !v.queued[0].push {
		return false
	}
	c.serve(v)
	return true
}

// introSize is what one introduction takes on the wire with an IPv4 address and
// a token.
const introSize = 1 + 4 + 2 + 32 + 1 + tokenGuess

// welcomeList is how many peers a WELCOME names to who has met some already: as many as the uplink can bear at
// the rate at which newcomers come, all there is room for when many wait.
func (c *Core) welcomeList(met int) int {
	most := min(c.p.JoinList, max(c.n, c.p.JoinMin)) // no more than there are chunks to ask for
	if met > 0 {
		most = max(most-met, alsoNamed)
	}
	rate, up := c.members.rate.lately(c.now), c.cfg.Uplink.Rate()
	switch {
	case c.crowdWaits():
		return MaxIntros
	case rate == 0, math.IsInf(up, 1):
		return most
	}
	room := up*c.joinShare()/rate - float64(chunker.HeaderSize+c.cfg.Uplink.overhead+10)
	return min(max(int(room/introSize), c.p.JoinMin), most)
}

// alsoNamed is how many a WELCOME names to who knows enough: the tracker that named those knows nothing of who gives.
const alsoNamed = 2

// crowdWaits reports whether a crowd waits for long.
func (c *Core) crowdWaits() bool {
	return len(c.members.overdue(c.now, longWait, c.p.SeedCrowd+1)) > c.p.SeedCrowd
}

// queuePushes lets the seed's first chunks follow the WELCOME, few when many wait. Their proofs go along, unless those
// that the WELCOME named bring most proofs with what they answer first.
func (c *Core) queuePushes(v *neighbour, named int) {
	n, waiting := 0, c.queuedBlocks()
	switch {
	case len(c.members.of) <= c.p.SeedCrowd:
		n = 4
	case waiting <= 3:
		n = 2
	case waiting <= 8, c.unserved == 0 && c.queuedPushes() == 0: // one rare chunk at least, or none of it stays
		n = 1
	}
	if c.n <= tinyChunks {
		n = max(n, min(c.affordable(), c.n))
	}
	othersProve := len(c.members.of) > c.p.SeedCrowd && c.unserved == 0 && 2*named >= c.header.NumMetaChunks()
	for range min(n, c.n, c.p.SeedChunks) {
		v.queued = append(v.queued, want{Ask: Ask{Proof: !othersProve}, blind: true, push: true, classes: 1, at: c.now})
	}
}

// queuedPushes is how many chunks pushed to newcomers wait.
func (c *Core) queuedPushes() (n int) {
	for _, v := range c.neighbours {
		if len(v.queued) > 0 && v.queued[0].push {
			n += len(v.queued)
		}
	}
	return n
}

// tinyChunks is up to how many chunks an object has that are best given with the WELCOME: its readers
// are gone before they could give much to each other.
const tinyChunks = 8

// fleetingChunks is up to how many chunks an object has whose readers are gone in the time that a greeting takes: who is told of them by a
// locator asks the seed alone. (4 KiB at 64/s: 0.58 s, and no stable pool where they are greeted; 5 KiB so: 0.42.)
const fleetingChunks = 4

// affordable is how many blocks the uplink can give every newcomer besides the WELCOMEs.
func (c *Core) affordable() int {
	rate, up := c.members.rate.lately(c.now), c.cfg.Uplink.Rate()
	if rate == 0 || math.IsInf(up, 1) {
		return tinyChunks
	}
	return int(up * (1 - c.p.JoinShare) / rate / float64(BlockSize+c.cfg.Uplink.overhead+40))
}

// longWait is from when on a JOIN counts as waiting long: the reader is better greeted by another.
const longWait = 60 * time.Millisecond
