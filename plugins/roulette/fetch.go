package roulette

import "math/bits"

// outstanding returns the blocks outstanding over all neighbours, and how many
// of the requests are overdue.
func (c *Core) outstanding() (open, late int) {
	for _, v := range c.neighbours {
		o, l := v.open()
		open, late = open+o, late+l
	}
	return open, late
}

// Where fewGivers and more gave something, what strangers are asked for takes strangerPlaces of the window at most: a third of it
// was held by requests to those who serve nobody (docs/adr/0034).
const (
	fewGivers      = 2
	strangerPlaces = 2
)

// places is how many places of the window are taken, in blocks.
func (c *Core) places() (taken int) {
	strange := 0
	for _, v := range c.neighbours {
		open, _ := v.open()
		if v.delivered == 0 && !v.seed {
			strange += open
		} else {
			taken += open
		}
	}
	if c.givers >= fewGivers {
		strange = min(strange, strangerPlaces)
	}
	return taken + strange
}

// window is how many blocks may be outstanding over all neighbours (R3): enough to
// keep the downlink busy, never so many that it queues for long.
func (c *Core) window() int {
	window := c.byRate()
	if c.yield.ceiling > 0 {
		window = min(window, int(c.yield.ceiling))
	}
	return c.within(window)
}

// pumpRoom is how much room in the window is worth a REQUEST: less where few neighbours give anything, because little room is left
// there before nothing is under way (docs/adr/0035).
func (c *Core) pumpRoom(window int) int {
	return max(min(c.p.PumpRoom, c.givers*3/4), window/16, 1)
}

// perNeighbour is how many blocks may be outstanding at one neighbour.
func (c *Core) perNeighbour(window int) int {
	return max(c.p.PerNeighbour, 2*window/max(len(c.neighbours), 1))
}

// pump fills the window: each request goes to the neighbour with the shortest
// expected answer, for the locally rarest chunk it has (R3, R5).
func (c *Core) pump() {
	open := c.places()
	window := c.window()
	limit := c.perNeighbour(window)
	open += c.askIdleSeed(open, window)
	if c.stranded() { // those who give nothing hold the window
		open += c.askBusySeed(c.within(open+lastAsks) - open)
	}
	if open > window-c.pumpRoom(window) {
		return
	}
	for open < window {
		v := c.bestSource(limit)
		if v == nil {
			break
		}
		i := c.next(v)
		if i < 0 {
			v.barren = true
			continue
		}
		open += c.ask(v, i)
	}
	if open < window {
		open += c.askBusySeed(window - open)
	}
	if open < window && c.missing <= c.p.Endgame {
		c.endgame(window - open)
	}
}

// pumpAt asks v for something because a DATA is about to go there anyway.
func (c *Core) pumpAt(v *neighbour) {
	if c.done || !c.known || v.barren {
		return
	}
	open := c.places()
	window := c.window() + c.p.PiggyExtra
	for open < window && c.usable(v, c.perNeighbour(window)) {
		i := c.next(v)
		if i < 0 {
			return
		}
		open += c.ask(v, i)
	}
}

// next returns the chunk to ask v for: one of the first that are missing, so that whoever reads the object while it
// comes sees its beginning (docs/adr/0028), else the locally rarest it has (R5). Where every neighbour has everything
// nobody gains by what we get first, and all come in order.
func (c *Core) next(v *neighbour) int {
	ahead := c.p.Ahead
	if !c.cfg.Without.Rarest && c.onlyHolders() {
		ahead = c.n
	}
	if i := c.nextToRead(v, ahead); i >= 0 {
		return i
	}
	cand := func(w int) uint64 { return v.have[w] & c.free[w] }
	return rarest(len(c.free), cand, c.rarity(), c.rng)
}

// nextToRead returns the first chunk, of the first so many missing ones, that v has and nobody was asked for, or -1. Usually they
// are few, because what everybody asks for first nobody has to give in return: with sixteen a swarm is 8 % slower.
func (c *Core) nextToRead(v *neighbour, ahead int) int {
	for w := c.wholeWords(); w < len(c.bits) && ahead > 0; w++ {
		missing := ^c.bits[w]
		if m := v.have[w] & c.free[w]; m != 0 {
			bit := trailing(m)
			if bits.OnesCount64(missing&(1<<bit-1)) >= ahead {
				return -1
			}
			return w*64 + bit
		}
		ahead -= bits.OnesCount64(missing)
	}
	return -1
}

// wholeWords is how many words of bits are full from the first on.
func (c *Core) wholeWords() int {
	for c.whole < len(c.bits) && ^c.bits[c.whole] == 0 {
		c.whole++
	}
	return c.whole
}

// onlyHolders reports whether all neighbours that said what they have, have everything.
func (c *Core) onlyHolders() bool {
	for _, v := range c.neighbours {
		if v.count < c.n && !(v.seed && v.count == 0) {
			return false
		}
	}
	return true
}

// ask notes a request for what is missing of chunk i at v, to be sent with the
// next DATA or on its own, and returns the number of blocks.
func (c *Core) ask(v *neighbour, i int) int {
	first, count := 0, c.blocksOf(i)
	a := Ask{Chunk: uint32(i), Any: v.seed}
	if p := c.partials[i]; p != nil {
		for p.got&(1<<first) != 0 {
			first++
		}
		end := first + 1
		for end < count && p.got&(1<<end) == 0 {
			end++
		}
		a.First, a.Count = uint8(first), uint8(end-first)
		count = end - first
	}
	a.Proof = !v.busy && c.lacksProof(i)
	if len(v.asks) == 0 {
		v.asksAt = c.now
	}
	v.asks = append(v.asks, a)
	v.asked = append(v.asked, asked{chunk: int32(i), first: uint8(first), left: uint8(count), at: c.now})
	c.reserved[i]++
	c.free.drop(i)
	v.state = StateWaitForData
	c.limit.spend(count)
	return count
}

// maxAgain is how often a chunk is asked for again in the endgame.
const maxAgain = 3

// endgame asks idle neighbours for chunks that are outstanding elsewhere (R9).
func (c *Core) endgame(room int) {
	for w := range c.bits {
		mask := ^c.bits[w] &^ c.free[w]
		if w == c.n/64 {
			mask &= 1<<(c.n%64) - 1
		}
		for ; mask != 0 && room > 0; mask &= mask - 1 {
			i := w*64 + trailing(mask)
			if c.reserved[i] < 1 || c.reserved[i] > maxAgain || !c.overdueEverywhere(i) {
				continue
			}
			if v := c.idleHolder(i); v != nil {
				room -= c.ask(v, i)
			}
		}
	}
}

// overdueEverywhere reports whether all requests for chunk i take longer than answers
// take on average.
func (c *Core) overdueEverywhere(i int) bool {
	for _, v := range c.neighbours {
		for k := range v.asked {
			if a := &v.asked[k]; a.chunk == int32(i) && c.now-a.at <= c.lat.Mean+c.lat.Dev {
				return false
			}
		}
	}
	return true
}

func (c *Core) idleHolder(i int) *neighbour {
	var best *neighbour
	for _, v := range c.neighbours {
		if !v.have.has(i) || v.asks != nil && len(v.asks) > 0 || !c.usable(v, 1) || v.asksFor(i) {
			continue
		}
		if best == nil || c.expect(v) < c.expect(best) {
			best = v
		}
	}
	return best
}

func (v *neighbour) asksFor(i int) bool {
	for _, a := range v.asked {
		if a.chunk == int32(i) {
			return true
		}
	}
	return false
}

// flushAsks sends the requests that found no DATA to ride on.
func (c *Core) flushAsks() {
	for i := 0; i < len(c.neighbours); i++ {
		v := c.neighbours[i]
		if len(v.asks) == 0 || len(v.queued) > 0 && c.now < v.asksAt+c.p.PiggybackWait {
			continue
		}
		if len(v.asks) > MaxAsks {
			i-- // the rest is for another REQUEST
		}
		m := &Request{Asks: c.takeAsks(v, MaxAsks), WantPeers: c.wishPeers()}
		if v.seed && c.n <= pendingMax {
			m.Have, m.Pending = c.tellAll(v), c.pendingSummary()
		} else {
			m.Have = c.news(v, MaxSummary)
		}
		if v.seed {
			m.Thanks, m.Silent = c.thanks(v), c.departures.seenSilent()
		}
		c.told(v)
		c.send(v, m)
	}
}

// takeAsks returns v's unsent requests, which leave now.
func (c *Core) takeAsks(v *neighbour, max int) []Ask {
	n := min(len(v.asks), max)
	if n == 0 {
		return nil
	}
	asks := v.asks[:n:n]
	v.asks = v.asks[n:]
	if len(v.asks) == 0 {
		v.asks = nil
	}
	sent := 0
	for i := range v.asked {
		if a := &v.asked[i]; !a.sent && sent < n {
			a.at, a.sent = c.now, true
			sent++
		}
	}
	return asks
}

// receiveData takes a block, if it was asked for.
func (c *Core) receiveData(v *neighbour, m *Data) {
	c.answered(v)
	v.link.unsaid.came(c.now, m.Len)
	c.noteWish(v, m.WantPeers)
	c.noteQueue(v, m.Queue)
	if m.Swap != 0 {
		v.swap, v.swapAt = m.Swap, c.now
	}
	c.learnHave(v, m.Have)
	if c.byID[v.id] == nil {
		return
	}
	c.introduced(v, m.Peers)
	c.receiveAsks(v, m.Asks)
	if !c.matchAsk(v, m) {
		c.stats.Unasked++
		return
	}
	if m.Blind {
		c.endLoan(v)
	}
	c.gave(v)
	v.tab.received(m.Len)
	c.down.add(c.now, float64(m.Len))
	c.peak.add(c.now, float64(m.Len))
	c.train.add(c.now, blocksIn(m.Len))
	c.giveWay(blocksIn(m.Len))
	c.cache.add(v.id, len(c.neighbours))
	if i := int(m.Chunk); c.known && i < c.n {
		c.markHave(v, i)
		v.shows(i/64, 1<<(i%64))
	}
	c.takeBlock(v, m.Chunk, m.Block, m.Payload)
}

// gave notes that v gave us a block.
func (c *Core) gave(v *neighbour) {
	if v.delivered++; v.delivered > 1 {
		return
	}
	c.givers++
	for i := range v.have.all() {
		c.atGivers[i]++
	}
}

func (c *Core) markHave(v *neighbour, i int) {
	if c.known && i < c.n && !v.have.has(i) {
		v.have.add(i)
		v.count++
		c.holds(v, i, true)
		v.barren = false
	}
}
