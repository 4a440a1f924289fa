package roulette

import "time"

// yield keeps the downlink's queue short, so that other traffic there gets its share: a
// ceiling on the window over all neighbours (R3). The window by rate and time alone never
// gives way: what waits in the queue makes answers late, and late answers make it larger.
// Nor do the sessions: each keeps a few packets under way whatever is lost, and many together hold the queue.
//
// What queues before our own downlink delays every neighbour's messages alike; what queues
// before a neighbour's uplink delays that neighbour's. So the least delay among
// the neighbours heard lately, over the least each ever had, is taken for the downlink's queue.
// Who comes when others' traffic has filled it takes most of it for the length of the way; what is lost then tells
// that it is full, as it tells TCP (docs/adr/0037).
type yield struct {
	ceiling float64 // blocks; 0: none
	cutAt   time.Duration
	lostAt  time.Duration // when packets were lost last; 0: never
}

const (
	// yieldFactor is what is left of the window when the queue is too long: a cut as TCP's.
	yieldFactor = 0.75
	// yieldGrowth is how many blocks more a round trip brings, a little more than TCP's one
	// segment, and yieldShare the part of a large window that it brings at least.
	yieldGrowth = 1.5
	yieldShare  = 0.03
	// yieldEmpty is the same while next to nothing queues: a long and fast path's many blocks would take minutes.
	yieldEmpty = 0.25
	// For yieldRest after a loss that counted the queue is another's, too, and may look empty because that one gave way.
	// Growth is yieldWary then, as many as segments in CUBIC (RFC 9438, section 4.3).
	yieldRest = 2 * time.Second
	yieldWary = 0.5
	// yieldBlocks is how many blocks a neighbour gives between losses that count: else one could keep the window small
	// by leaving out numbers.
	yieldBlocks = 4
	// queueFresh is how old a neighbour's delay may be to count.
	queueFresh = 500 * time.Millisecond
)

// queueMost is how long a queue may be before the window gives way: chunks of several neighbours come at once, and each
// is a queue of its own for a moment. More than that takes what TCP needs: of a link of 2 Mbit/s it kept
// 28 % beside chunks of two blocks with twice the queue, and 40 % beside such of four with three times. A link so slow
// that a few chunks take longer holds these few: TCP, too, counts what may queue there in segments.
func (c *Core) queueMost() time.Duration {
	most := c.p.QueueMost * time.Duration(max(1, c.burst()/2))
	if c.down.rate <= 0 {
		return most
	}
	burst := float64(c.burst()*BlockSize) * float64(time.Second)
	most = min(most, c.p.QueueMost+time.Duration(burstsQueued*burst/c.down.rate))
	if link := c.peak.rate(); link > 0 {
		most = max(most, min(longestQueue, time.Duration(burstsLeast*burst/link)))
	}
	return most
}

// burstsQueued is how many neighbours' chunks may come at once, burstsLeast how many may queue on any link.
const (
	burstsQueued = 8
	burstsLeast  = 3
)

// longestQueue is what a few chunks may take where next to nothing comes.
const longestQueue = 250 * time.Millisecond

// peak is the most that ever came in a moment: what the link carries, whatever it is shared with by now. A rate that is low because
// of other traffic must not let more wait before it.
type peak struct {
	from      time.Duration
	sum, most float64
}

// peakSpan is a moment: some tens of blocks of a link on which it matters.
const peakSpan = 250 * time.Millisecond

func (p *peak) add(now time.Duration, n float64) {
	if now-p.from >= peakSpan {
		p.from, p.sum = now, 0
	}
	p.sum += n
	p.most = max(p.most, p.sum)
}

// rate is at least how fast the link is, in bytes/s; 0 while nothing is known of it.
func (p *peak) rate() float64 { return p.most / peakSpan.Seconds() }

// giveWay adapts the ceiling after so many blocks came.
func (c *Core) giveWay(blocks int) {
	y := &c.yield
	switch q := c.downQueue(); {
	case q > c.queueMost():
		c.cutWindow()
	case y.ceiling == 0:
	case y.ceiling >= 2*float64(c.byRate()):
		y.ceiling = 0
	default:
		y.ceiling += float64(blocks) * c.windowGrowth(q) / y.ceiling
	}
}

// windowGrowth is how many blocks a round trip adds to the ceiling beside a queue of q.
func (c *Core) windowGrowth(q time.Duration) float64 {
	y := &c.yield
	switch {
	case y.wary(c.now):
		return max(yieldWary, yieldShare*y.ceiling)
	case q < c.queueMost()/4:
		return max(yieldGrowth, yieldEmpty*y.ceiling)
	}
	return max(yieldGrowth, yieldShare*y.ceiling)
}

// wary reports whether a loss that counted is yieldRest or less ago.
func (y *yield) wary(now time.Duration) bool { return y.lostAt > 0 && now-y.lostAt <= yieldRest }

// Missed says that packets from a neighbour to us were lost: the queue before our downlink is full, if there is one.
func (c *Core) Missed(now time.Duration, from NeighbourID) {
	c.now = now
	v := c.byID[from]
	if v == nil || v.delivered-v.missedAt < yieldBlocks || c.downQueue() < c.p.QueueMost/4 {
		return
	}
	v.missedAt, c.yield.lostAt = v.delivered, c.now
	c.cutWindow()
}

// cutWindow lowers the ceiling, once per answer's time: after a loss below what is under way, however high it stood.
func (c *Core) cutWindow() {
	y := &c.yield
	if c.now-y.cutAt < c.lat.Mean {
		return
	}
	from := float64(c.byRate())
	if y.ceiling > 0 {
		from = min(from, y.ceiling)
	}
	if y.wary(c.now) {
		from = min(from, float64(c.places()+c.burst()))
	}
	y.ceiling, y.cutAt = max(from*yieldFactor, float64(c.p.QueueLeast)), c.now
}

// downQueue is how long what comes to us seems to wait before our downlink.
func (c *Core) downQueue() time.Duration {
	least := time.Duration(-1)
	for _, v := range c.neighbours {
		if l := &v.link; l.queueAt > 0 && c.now-l.queueAt <= queueFresh && (least < 0 || l.queue < least) {
			least = l.queue
		}
	}
	return max(least, 0)
}

// delays remembers the least one-way delay of a neighbour's messages. Clocks differ, so only
// differences mean anything; they drift, so a least of old is forgotten.
type delays struct {
	least [2]uint16 // of this span and the one before, in ClockUnit
	from  time.Duration
	known bool
}

// delaySpan is how long a least delay counts: so long to twice that.
const delaySpan = time.Minute

// over returns how much longer than the least a delay is.
func (d *delays) over(now time.Duration, delay uint16) time.Duration {
	switch {
	case !d.known:
		d.least, d.from, d.known = [2]uint16{delay, delay}, now, true
	case now-d.from > delaySpan:
		d.least[1], d.least[0], d.from = d.least[0], delay, now
	case int16(delay-d.least[0]) < 0:
		d.least[0] = delay
	}
	least := d.least[0]
	if int16(d.least[1]-least) < 0 {
		least = d.least[1]
	}
	return max(0, time.Duration(int16(delay-least))*ClockUnit)
}
