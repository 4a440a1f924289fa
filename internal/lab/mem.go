package lab

import (
	"nt/plugins/roulette"
	"nt/plugins/roulette/sim"
)

// RunMem runs a case with the protocol's core alone, in a simulation without a wire:
// messages are written and read as on one, and each costs a datagram's headers. It is
// for crowds too large for real sessions, and to tell what the wire costs.
func RunMem(profile string, c Case) Result { return RunCore(profile, c, func(*sim.Config) {}) }

// RunCore is RunMem with something of the experiment changed.
func RunCore(profile string, c Case, change func(*sim.Config)) Result {
	c = c.withDefaults()
	p := roulette.Tuned()
	if profile == "classic" {
		p = roulette.Classic()
	}
	cfg := sim.Config{Seed: c.Seed, Params: p, Size: c.Size, UpKbps: float64(c.UpKbps), Down: float64(c.Kbps), SeedUp: float64(c.SeedUp),
		Rate: c.Rate, Readers: c.Readers, Delay: c.Delay, Loss: c.Loss, Queue: c.Queue, PoolMax: c.PoolMax, Silent: c.Silent, FreeRiders: c.Free, Poisoners: c.Poison, Tyrants: c.Tyrants,
		Stay: c.Stay, Kill: c.Killed, KillAt: c.KillAt, TimeMax: c.TimeMax}
	change(&cfg)
	s := sim.Run(cfg)
	return Result{System: "roulette-" + profile, Wire: "mem", Kbps: c.Kbps, Size: c.Size, Rate: c.Rate, Seed: c.Seed, Readers: s.Readers, Done: s.Finished,
		Stable: s.Stable || c.Readers > 0 && s.Finished == s.Readers, Mean: s.Mean, P95: s.P95, Worst: s.Max, Bound: c.Bound().Seconds(), Received: s.Received, SeedShare: s.SeedShare,
		Pool: s.PoolMax, Free: s.FreeMean, Honest: s.HonestMean, Runs: 1, MeanLow: s.Mean, MeanHigh: s.Mean, P95Low: s.P95, P95High: s.P95}
}
