package roulette

import (
	"math"
	"time"
)

// Uplink paces what a node sends and finds out how fast its uplink is; the
// swarms of a node share one. It is not safe for concurrent use.
//
// Nobody tells a program the rate of the modem before it. What it can see is
// how much later than usual its datagrams arrive (Timing.Lag), because they wait
// in the modem. So Uplink keeps, for each of a grid of possible rates, the
// queue the modem would have at that rate after every datagram sent. Whenever a
// neighbour echoes two datagrams, the difference of their delays is compared
// with what each rate predicts; the rate whose predictions fit best is the estimate.
// Idle times, bursts and other traffic need no special case, clocks need not
// agree, and while nothing ever waits the highest rate fits as well as any, so
// that nothing is paced before there is a reason; unheard bounds what is on its
// way meanwhile.
type Uplink struct {
	backlogMax time.Duration
	overhead   int
	known      float64 // bytes/s if the user said so

	at      time.Duration
	rate    float64 // bytes/s; +Inf: no reason to pace
	backlog float64 // bytes in the modem at rate
	charged float64 // bytes accounted for in all
	unheard unheard

	queues [gridSize]float32 // seconds the modem would need, per candidate
	loss   [gridSize]float32 // how badly each fits
	seen   float32           // weight of the comparisons in loss
	log    [logSize]sentRecord
	next   int
}

const (
	gridSize = 56
	logSize  = 128
	gridLow  = 4e3    // bytes/s
	gridStep = 1.2078 // 56 steps reach 128 MB/s
	// lossCap clips one comparison, in seconds: a reordered or held datagram must not decide.
	lossCap = 0.06
	// lossKeep is how much of the past stays after a comparison.
	lossKeep = 0.985
	// maxBacklog is what a modem is taken to hold at most, in bytes, when its rate is first estimated. The queue that it would have if
	// the rate had always been that is all that was ever sent too fast for it: gigabytes on a fast link (docs/adr/0039).
	maxBacklog = 64 << 10
	// minEvidence comparisons are wanted before anything is paced.
	minEvidence = 4
)

// datagram is about how much of a longer message each datagram carries.
const datagram = MaxMessage

type sentRecord struct {
	to      *link
	sent    uint16
	at      time.Duration
	charged float64
	queues  [gridSize]float32
}

// echoRecord is the last echo a neighbour sent of a datagram of ours.
type echoRecord struct {
	sent   uint16
	lag    uint16
	queues [gridSize]float32
}

// NewUplink returns the pacer of one node. overhead is what the wire adds to
// every message, in bytes, IP and UDP headers included.
func NewUplink(p *Params, overhead int) *Uplink {
	u := &Uplink{backlogMax: p.Backlog, overhead: overhead, known: float64(p.KnownRate), rate: math.Inf(1)}
	if u.known > 0 {
		u.rate = u.known
	} else if p.StartRate > 0 {
		u.rate = float64(p.StartRate)
	}
	return u
}

// Rate returns the estimated uplink in bytes per second; +Inf if it was never seen busy.
func (u *Uplink) Rate() float64 { return u.rate }

func (u *Uplink) drain(now time.Duration) {
	dt := (now - u.at).Seconds()
	if dt <= 0 {
		return
	}
	u.at = now
	if u.backlog -= dt * u.rate; !(u.backlog > 0) {
		u.backlog = 0
	}
	if u.known > 0 {
		return
	}
	u.unheard.forget(dt, u.charged)
	for k := range u.queues {
		u.queues[k] = max(0, u.queues[k]-float32(dt))
	}
}

// sent accounts for a message of n bytes that leaves now.
func (u *Uplink) sent(now time.Duration, l *link, stamp uint16, n int) {
	u.drain(now)
	size := float64(n + u.overhead*(1+(n-1)/datagram))
	u.unheard.sent(now, u.charged, u.held())
	u.charged += size
	u.backlog += size
	if u.known > 0 {
		return
	}
	r := &u.log[u.next%logSize]
	u.next++
	r.to, r.sent, r.at, r.charged = l, stamp, now, u.charged
	cost := float32(size / gridLow)
	for k := range u.queues {
		u.queues[k] += cost
		cost *= 1 / gridStep
	}
	r.queues = u.queues
}

// Left tells how many bytes have really left the socket, headers included, since
// the node began: a reliable wire adds acknowledgements and repeats of its own to
// what Append made, and they stand in the same queue. What exceeds the account
// is charged now; what a wire still holds back is not given back.
func (u *Uplink) Left(now time.Duration, total float64) {
	extra := total - u.charged
	if extra <= 0 {
		return
	}
	u.drain(now)
	u.charged = total
	u.backlog += extra
	if u.known > 0 {
		return
	}
	cost := float32(extra / gridLow)
	for k := range u.queues {
		u.queues[k] += cost
		cost *= 1 / gridStep
	}
}

// echoed takes a neighbour's echo of one of our datagrams.
func (u *Uplink) echoed(l *link, sent, lag uint16) {
	if u.known > 0 || l.last != nil && l.last.sent == sent {
		return
	}
	for i := 1; i <= min(u.next, logSize); i++ {
		r := &u.log[(u.next-i)%logSize]
		if r.to != l || r.sent != sent {
			continue
		}
		since := u.at
		if i > 1 {
			since = u.log[(u.next-i+1)%logSize].at
		}
		u.unheard.heard(r.charged, since)
		if l.last == nil {
			l.last = new(echoRecord)
		} else {
			u.compare(l.last, r, lag)
		}
		l.last.sent, l.last.lag, l.last.queues = sent, lag, r.queues
		return
	}
	if u.next > logSize { // it was sent before all that the log has
		u.unheard.heard(u.log[u.next%logSize].charged, u.log[(u.next+1)%logSize].at)
	}
}

// compare weighs every candidate with two datagrams to one neighbour.
func (u *Uplink) compare(old *echoRecord, r *sentRecord, lag uint16) {
	grown := float32(float64(int16(lag-old.lag)) * ClockUnit.Seconds())
	for k := range u.loss {
		miss := grown - (r.queues[k] - old.queues[k])
		u.loss[k] = u.loss[k]*lossKeep + min(max(miss, -miss), lossCap)
	}
	if u.seen = u.seen*lossKeep + 1; u.seen >= minEvidence {
		u.estimate()
	}
}

// estimate chooses the highest rate that fits about as well as the best.
func (u *Uplink) estimate() {
	best := 0
	for k := range u.loss {
		if u.loss[k] < u.loss[best] {
			best = k
		}
	}
	// A quarter of a millisecond is the clock's own error.
	if u.loss[gridSize-1] <= u.loss[best]+u.seen*0.0005 {
		u.setRate(math.Inf(1))
		return
	}
	at := float64(best)
	if best > 0 && best < gridSize-1 { // the bottom of the parabola through three points
		a, b, c := u.loss[best-1], u.loss[best], u.loss[best+1]
		if curve := a - 2*b + c; curve > 0 {
			at += float64((a - c) / (2 * curve))
		}
	}
	u.setRate(gridLow * math.Pow(gridStep, at))
}

func (u *Uplink) setRate(r float64) {
	if math.IsInf(r, 1) || math.IsInf(u.rate, 1) {
		u.backlog = 0
		if !math.IsInf(r, 1) { // what the modem holds by now
			k := int(math.Round(math.Log(r/gridLow) / math.Log(gridStep)))
			u.backlog = min(float64(u.queues[min(max(k, 0), gridSize-1)])*r, maxBacklog)
		}
	}
	u.rate = r
}

// ready reports whether the modem's queue has room for another datagram of content.
func (u *Uplink) ready(now time.Duration) bool {
	u.drain(now)
	return u.waiting() <= u.backlogMax && (u.held() == 0 || now >= u.unheard.probeAt())
}

// held is how many bytes too many are on their way without a word of what became of them.
func (u *Uplink) held() float64 {
	if u.known > 0 {
		return 0
	}
	return u.unheard.tooMany(u.at, u.charged, u.seen < minEvidence)
}

// waiting is how long a datagram sent now would wait.
func (u *Uplink) waiting() time.Duration {
	if math.IsInf(u.rate, 1) {
		return 0
	}
	return time.Duration(u.backlog / u.rate * float64(time.Second))
}

// readyAt is when ready will be true.
func (u *Uplink) readyAt() time.Duration {
	at := u.at
	if over := u.held(); over > 0 {
		at = min(at+time.Duration(over/gridLow*float64(time.Second))+time.Microsecond, max(at, u.unheard.probeAt()))
	}
	if over := u.waiting() - u.backlogMax; over > 0 {
		at = max(at, u.at+over+time.Microsecond)
	}
	return at
}
