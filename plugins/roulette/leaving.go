package roulette

import "time"

// Readers leave the moment they are done, many without a word (F6), and a request to who has left holds room in the window until it
// is overdue. Summaries say when a neighbour will be done; what to make of its silence, how readers of this swarm
// leave.

const (
	// leaveTime is how long a neighbour may take for its last few chunks and still be
	// taken to be leaving; who stays longer is stuck, and a source as good as any.
	leaveTime = 250 * time.Millisecond
	// lastWords is how many chunks short of complete a neighbour is taken to have left when it has been silent for silentTime,
	// where readers leave without a word; what it was asked longer ago than lostAfter is asked elsewhere. After askAgain it is
	// asked again: it may wait for us.
	lastWords  = 20
	silentTime = 110 * time.Millisecond
	lostAfter  = 150 * time.Millisecond
	askAgain   = 2 * time.Second
)

// departures counts how neighbours leave.
type departures struct {
	byes   int  // with BYE
	silent int  // gave something, let a request pass and were not heard since; at a seed: readers who saw most leave so
	told   bool // by a seed, that most leave in silence
}

// seenSilent reports whether more neighbours left in silence than said BYE.
func (d *departures) seenSilent() bool { return d.silent > d.byes }

// inSilence is the same for a newcomer, too, who has not seen any leave yet and was told by the seed.
func (d *departures) inSilence() bool {
	return d.seenSilent() || d.told && d.silent == d.byes
}

// hearSilence notes at a seed that a reader saw most of its neighbours leave in silence. The seed cannot tell itself who left and
// who has nothing to say to it. What was long ago counts less.
func (c *Core) hearSilence(v *neighbour) {
	d := &c.departures
	if !c.cfg.Seed || v.sawSilent {
		return
	}
	v.sawSilent = true
	if d.silent++; d.silent+d.byes > departuresKept {
		d.silent, d.byes = d.silent/2, d.byes/2
	}
}

// departuresKept is of how many departures a seed makes up its mind.
const departuresKept = 64

// overdue notes that v, who gave something before, let a request pass in silence.
func (d *departures) overdue(v *neighbour, at time.Duration) {
	if v.seed || v.silent || v.heard >= at || v.delivered < 1 {
		return
	}
	v.silent = true
	d.silent++
}

// heard takes back what was made of v's silence.
func (d *departures) heard(v *neighbour) {
	if v.silent {
		v.silent = false
		d.silent--
	}
}

// noteNear notes when a reader comes close to its end.
func (c *Core) noteNear(v *neighbour) {
	if v.nearAt == 0 && c.n >= 4*c.p.LeaveGuard && v.count < c.n && c.n-v.count <= c.p.LeaveGuard {
		v.nearAt = c.now
	}
}

// nearlyDone reports whether v has left or will have before it could answer. Where most say BYE, silence near
// the end means that a neighbour waits for its last chunks, and it is a source as any. So is who has everything and is still there.
func (c *Core) nearlyDone(v *neighbour) bool {
	switch {
	case v.seed:
		return false
	case v.nearAt > 0 && c.now-v.nearAt < leaveTime:
		return true
	}
	return c.fellSilent(v)
}

// fellSilent reports whether a reader near its end has left without a word, where readers leave so.
func (c *Core) fellSilent(v *neighbour) bool {
	lacks, silence := c.n-v.count, c.now-v.heard
	switch {
	case v.seed, lacks == 0, lacks > lastWords, c.n < 2*lastWords, !c.departures.inSilence():
		return false
	}
	return silence > silentTime && silence < askAgain
}
