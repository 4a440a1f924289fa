package lab

import (
	"testing"
	"time"

	"nt/plugins/roulette"
	"nt/plugins/roulette/sim"
)

// variant is the core with one thing changed.
type variant struct {
	name   string
	change func(*sim.Config)
}

const allIn = "all in"

// variants are what the tuned profile is made of, each without one of them or with more or less of it.
func variants() []variant {
	p := func(name string, change func(*roulette.Params)) variant {
		return variant{name, func(c *sim.Config) { change(&c.Params) }}
	}
	const never, always = time.Hour, 10 * time.Second
	return []variant{
		{allIn, func(*sim.Config) {}},
		{"the locator names the seed alone", func(c *sim.Config) { c.SeedAlone = true }},
		{"no BYE", func(c *sim.Config) { c.Silent = 1 }},
		{"a random chunk instead of the rarest", func(c *sim.Config) { c.Without.Rarest = true }},
		{"seed: a random chunk instead of the least served", func(c *sim.Config) { c.Without.LeastServed = true }},
		p("seed: never substitutes", func(p *roulette.Params) { p.NoSubstitute = true }),
		p("seed: no chunks pushed after WELCOME", func(p *roulette.Params) { p.SeedChunks = 0 }),
		p("no blind requests", func(p *roulette.Params) { p.BlindUntil = 0 }),
		p("no Swap", func(p *roulette.Params) { p.Swap = false }),
		p("no NewFirst", func(p *roulette.Params) { p.NewFirst = 0 }),
		p("NewFirst 16", func(p *roulette.Params) { p.NewFirst = 16 }),
		p("newcomers get nothing in advance", func(p *roulette.Params) { p.NewBlocks = 0 }),
		p("newcomers get 4 blocks in advance", func(p *roulette.Params) { p.NewBlocks = 4 }),
		p("no endgame", func(p *roulette.Params) { p.Endgame = 0 }),
		p("requests do not wait for DATA to ride on", func(p *roulette.Params) { p.PiggybackWait = 0 }),
		p("no STATUS advertising", func(p *roulette.Params) { p.StatusEvery = never }),
		p("no leave guard", func(p *roulette.Params) { p.LeaveGuard = 0 }),
		{"proofs that do not come are not chased", func(c *sim.Config) { c.Without.Chase = true }},
		p("no RESCUE", func(p *roulette.Params) { p.RescueAfter = never }),
		{"uplink known", func(c *sim.Config) { c.KnowUplink = true }},
		p("no pacing", func(p *roulette.Params) { p.Backlog = always }),
		p("backlog 30 ms", func(p *roulette.Params) { p.Backlog = 30 * time.Millisecond }),
		p("never gives way on the downlink", func(p *roulette.Params) { p.QueueMost = always }),
		p("window of 6 blocks", func(p *roulette.Params) { p.WindowBlocks = 6 }),
		p("window of 24 blocks", func(p *roulette.Params) { p.WindowBlocks = 24 }),
		p("window of 80 ms", func(p *roulette.Params) { p.WindowTime = 80 * time.Millisecond }),
		p("window of 320 ms", func(p *roulette.Params) { p.WindowTime = 320 * time.Millisecond }),
		p("a REQUEST for each block", func(p *roulette.Params) { p.PumpRoom = 1 }),
		p("4 requests a neighbour", func(p *roulette.Params) { p.PerNeighbour = 4 }),
		p("tab of 1 block", func(p *roulette.Params) { p.Tab = 1200 }),
		p("tab of 8 blocks", func(p *roulette.Params) { p.Tab = 8 << 10 }),
		p("no tit-for-tat", func(p *roulette.Params) { p.Tab, p.NewBlocks = 1<<29, 1<<29 }),
		p("strict: nothing to who does not pay", func(p *roulette.Params) { p.IdleGive = never }),
		p("join list 4", func(p *roulette.Params) { p.JoinList, p.JoinMin = 4, 3 }),
		p("join list 16", func(p *roulette.Params) { p.JoinList = 16 }),
		p("join list: members of any age", func(p *roulette.Params) { p.JoinYoung, p.JoinOld = 0, never }),
		p("6 to 9 neighbours", func(p *roulette.Params) { p.MinDegree, p.MaxDegree = 6, 9 }),
		p("18 to 27 neighbours", func(p *roulette.Params) { p.MinDegree, p.MaxDegree = 18, 27 }),
	}
}

// cells are where each variant is run: kbit/s and arrivals a second.
var cells = []struct {
	kbps int
	rate float64
}{{800, 8}, {800, 32}, {400, 32}, {800, 128}}

func ablationFigure(kbps int) string {
	return map[int]string{800: "ablation-800", 400: "ablation-400"}[kbps]
}

func variantRunner(profile string, v variant) runner {
	return runner{"roulette-" + profile + "/mem", func(t *testing.T, c Case) Result {
		started := time.Now()
		r := RunCore(profile, c, v.change)
		r.Real = time.Since(started).Seconds()
		t.Logf("%s seed=%d %s", r.Line(), c.Seed, r.Note())
		return r
	}}
}

func ablations() (all []trial) {
	for _, at := range cells {
		for _, v := range variants() {
			all = append(all, trial{runner: variantRunner("tuned", v), figure: ablationFigure(at.kbps), name: v.name, runs: 1,
				Case: Case{Size: 128 * kib, Kbps: at.kbps, Rate: at.rate, PoolMax: 3000}})
		}
	}
	return all
}

// classics are the paper's protocol with one thing changed, at 8 a second.
func classics() []variant {
	p := func(name string, change func(*roulette.Params)) variant {
		return variant{name, func(c *sim.Config) { change(&c.Params) }}
	}
	return []variant{
		{"as it is", func(*sim.Config) {}},
		p("the seed floods its uplink", func(p *roulette.Params) { p.Backlog = 0 }),
		p("tit-for-tat to the letter", func(p *roulette.Params) { p.TabLiteral = true }),
		p("no endgame", func(p *roulette.Params) { p.Endgame = 0 }),
		{"30 % free riders", func(c *sim.Config) { c.FreeRiders = 0.3 }},
		{"everybody leaves silently", func(c *sim.Config) { c.Silent = 1 }},
	}
}

func classicVariants() (all []trial) {
	for _, v := range classics() {
		all = append(all, trial{runner: variantRunner("classic", v), figure: "classic", name: v.name, runs: 1,
			Case: Case{Size: 128 * kib, Kbps: 800, Rate: 8, PoolMax: 600}})
	}
	return all
}
