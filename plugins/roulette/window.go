package roulette

import "time"

// A reader with at most fewSources neighbours has fewWindow blocks more under way, shared out among them: when one of few
// serves others, what is asked of the rest must fill the downlink.
const (
	fewSources = 8
	fewWindow  = 20
)

// fewMore is how many blocks more may be outstanding with few neighbours. Not at the start: the chunk that is read first would wait
// behind them at the seed.
func (c *Core) fewMore() int {
	n := len(c.neighbours)
	if c.blocks > 1 || n <= 1 || n > fewSources || c.n-c.missing < c.p.BlindUntil {
		return 0
	}
	return fewWindow / n
}

// byRate is the window that keeps the downlink busy, in blocks.
func (c *Core) byRate() int {
	extra := c.fewMore()
	for _, v := range c.neighbours {
		extra += v.extra
	}
	rate := c.down.rate
	if c.train.fast(c.now) { // what has just come is the best that is known of a link that fills up
		rate = c.down.lately(c.now)
	}
	return max(max(c.p.WindowBlocks, c.chunkWindow())+extra, int(rate*(c.p.WindowTime+c.lat.Mean/2).Seconds()/BlockSize))
}

// chunkWindow is the window for chunks of several blocks: WindowChunks of them where the others are usualWay away, more or
// less as their answers take longer or not so long. With the same for all, who is far away gets less in a
// second than others, and pays less, until it is a tenth behind (docs/adr/0029).
func (c *Core) chunkWindow() int {
	window := c.p.WindowChunks * c.burst()
	sum, n := time.Duration(0), 0
	for _, v := range c.neighbours {
		if v.link.rtt > 0 && !v.seed {
			sum, n = sum+v.link.rtt, n+1
		}
	}
	if link := c.peak.rate(); c.blocks <= 1 || n == 0 || link == 0 || link >= fastLink {
		return window
	}
	share := float64(sum/time.Duration(n)+waitTime) / float64(usualWay+waitTime)
	return int(float64(window) * min(max(share, 0.8), 1.5))
}

// fastLink is the rate, in bytes/s, from which on a link carries a train: what is under way there grows as answers come (widen).
const fastLink = trainSize * BlockSize * float64(time.Second) / float64(trainTime)

// usualWay is a round trip to others, waitTime what a chunk's answer takes besides, where all uplinks are in use.
const (
	usualWay = 80 * time.Millisecond
	waitTime = 180 * time.Millisecond
)

// burst is how many blocks come at once from one neighbour: a chunk, as far as the window takes chunks for what they are.
func (c *Core) burst() int { return min(c.blocks, maxBurstBlocks) }

// maxBurstBlocks is what of a larger chunk counts as one: on a slow link it is many round trips long.
const maxBurstBlocks = 4
