package sim

import (
	"time"

	"nt/plugins/roulette"
)

// Overhead is what a datagram adds to a message by default, in bytes: 28 for IPv4 and UDP, and 44, of which the wire needs 22 by now
// (wire.Overhead, and KCP's header). It stays, so that runs can be compared with older ones.
const Overhead = 28 + 44

// Config is one experiment. Zero fields take the value in parentheses.
type Config struct {
	Seed    uint64
	Params  roulette.Params
	Size    int64
	UpKbps  float64       // of every host (800)
	Down    float64       // downlink in kbit/s (UpKbps)
	SeedUp  float64       // the seed's links, in kbit/s (UpKbps)
	Rate    float64       // readers per second; 0: all of Readers within 100 ms
	Readers int           // how many come; 0: as long as the stabilised pool test runs
	Delay   time.Duration // mean one-way (30 ms); a host's part of it is 10 % to 190 %
	Loss    float64
	Queue   int // bytes (65536)
	Over    int // bytes a datagram (Overhead)
	// KnowUplink tells every core its uplink: the oracle to compare estimates with.
	KnowUplink bool
	// SeedAlone: the locator names the seed and nobody else, and knows nothing of the object, as it always is for the classic profile.
	SeedAlone  bool
	Without    roulette.Without
	Silent     float64 // part of the readers that leave without BYE
	FreeRiders float64 // part that serves nobody
	Poisoners  float64 // part that serves wrong bytes
	Tyrants    float64 // part that plays by Tyrant's numbers
	Stay       bool    // readers stay when done
	Kill       float64 // part killed KillAt after arrival, done or not
	KillAt     time.Duration
	PoolMax    int           // readers at which the test is given up as unstable (4000)
	TimeMax    time.Duration // (120 s)
	Ages       *Ages         // adds up what readers do; nil: nothing is
}

func (c Config) withDefaults() Config {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.UpKbps, 800)
	def(&c.Down, c.UpKbps)
	def(&c.SeedUp, c.UpKbps)
	if c.Delay == 0 {
		c.Delay = 30 * time.Millisecond
	}
	if c.Queue == 0 {
		c.Queue = 64 << 10
	}
	if c.Over == 0 {
		c.Over = Overhead
	}
	if c.PoolMax == 0 {
		c.PoolMax = 4000
	}
	if c.TimeMax == 0 {
		c.TimeMax = 120 * time.Second
	}
	return c
}

// Tyrant returns the numbers of a reader that wants the most for the least, as BitTyrant does at
// BitTorrent (L13): it gives nobody anything in advance, pays back what it got and no more, best
// payers first, helps no newcomer, and meets and asks as many as there are.
func Tyrant() roulette.Params {
	p := roulette.Tuned()
	p.Tab, p.TabFraction = 1, 0
	p.NewFirst, p.NewBlocks, p.IdleGive, p.Swap = 0, 0, time.Hour, false
	p.MinDegree, p.MaxDegree, p.SeekEvery = 36, 40, 20*time.Millisecond
	p.WindowBlocks, p.PerNeighbour, p.PumpRoom = 24, 2, 1
	return p
}
