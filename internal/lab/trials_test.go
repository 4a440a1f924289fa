package lab

import (
	"fmt"
	"testing"
	"time"
)

// trial is one case of one system: what is run with seeds 1 to runs.
type trial struct {
	runner
	figure, name string
	Case
	runs  int
	sweep bool // not run at rates beyond one that the system did not bear
}

func (x trial) place() Place { return Place{x.figure, x.runner.name, x.name, x.Rate} }

func (x trial) String() string {
	name := ""
	if x.name != "" {
		name = " " + x.name
	}
	return fmt.Sprintf("%s %s%s rate=%g", x.figure, x.runner.name, name, x.Rate)
}

// run runs a trial once.
func (x trial) once(t *testing.T, seed int) Result {
	c := x.Case
	c.Seed = uint64(seed)
	r := x.runner.run(t, c)
	r.Case, r.State = x.name, state(t, x.runner.name)
	return r
}

func tunedKCP() runner { return overNet(Roulette("tuned", "kcp", startKCPClock)) }
func tunedUDP() runner { return overNet(Roulette("tuned", "udp", nil)) }

// series is a figure over the rate.
type series struct {
	figure string
	size   int64
	kbps   int
}

var (
	s128at800 = series{"128k-800", 128 * kib, 800}
	s128at400 = series{"128k-400", 128 * kib, 400}
	s64at800  = series{"64k-800", 64 * kib, 800}
	s4at800   = series{"4k-800", 4 * kib, 800}
	s1mat800  = series{"1m-800", 1024 * kib, 800}
)

func (s series) of(r runner, runs int, sweep bool, rates ...float64) (all []trial) {
	for _, rate := range rates {
		c := Case{Size: s.size, Kbps: s.kbps, Rate: rate, PoolMax: 1000}
		if rate > 64 {
			c.PoolMax = 3000
		}
		all = append(all, trial{runner: r, figure: s.figure, Case: c, runs: runs, sweep: sweep})
	}
	return all
}

// adverse is what a crowd meets on bad days: loss, silent leavers, free riders, poisoners,
// uplinks a tenth of the downlinks.
var adverse = []struct {
	name   string
	rate   float64
	heavy  bool
	change func(*Case)
}{
	{"1 % loss", 32, false, func(c *Case) { c.Loss = 0.01 }},
	{"5 % loss", 32, false, func(c *Case) { c.Loss = 0.05 }},
	{"silent", 32, false, func(c *Case) { c.Silent = 1 }},
	{"10 % free riders", 32, false, func(c *Case) { c.Free = 0.1 }},
	{"30 % free riders", 32, false, func(c *Case) { c.Free = 0.3 }},
	{"10 % tyrants", 32, false, func(c *Case) { c.Tyrants = 0.1 }},
	{"90 % leave", 16, false, func(c *Case) {
		c.Size, c.Readers, c.Killed, c.KillAt = 1024*kib, 100, 0.9, 3*time.Second // the last come after 6.25 s
	}},
	{"10 % poisoners", 32, false, func(c *Case) { c.Poison = 0.1 }},
	{"uplinks a tenth", 32, true, func(c *Case) { c.UpKbps, c.SeedUp = c.Kbps/10, c.Kbps }},
	{"silent", 128, true, func(c *Case) { c.Silent, c.PoolMax = 1, 3000 }},
}

func bad(r runner, runs int, heavy bool) (all []trial) {
	for _, x := range adverse {
		if x.heavy == heavy {
			c := Case{Size: 128 * kib, Kbps: 800, Rate: x.rate, PoolMax: 1000}
			x.change(&c)
			all = append(all, trial{runner: r, figure: "adverse", name: x.name, Case: c, runs: runs})
		}
	}
	return all
}

// atOnce is the one-shot flash crowd (F51).
func atOnce(r runner, size string, bytes int64, n, runs int) trial {
	return trial{runner: r, figure: "crowd", name: crowdName(size, n), runs: runs,
		Case: Case{Size: bytes, Kbps: 800, Readers: n, PoolMax: 1 << 20, TimeMax: 20 * time.Minute}}
}

func longFatOf(r runner) trial {
	c := longFat(100 << 20)
	c.Window = 4 << 20 // TCP's, as Linux grows it
	return trial{runner: r, figure: "longfat", name: "100 MiB", Case: c, runs: 5}
}

// trials lists everything that docs/experiments has, what matters most first.
func trials() (all []trial) {
	add := func(more ...trial) { all = append(all, more...) }
	k, m := tunedKCP(), overMem("tuned")
	add(s128at800.of(k, 5, false, 32, 8, 16, 1, 2, 4)...)
	add(s128at400.of(k, 5, false, 32, 2, 4, 8, 16)...)
	add(s64at800.of(k, 5, false, 32)...)
	add(s4at800.of(k, 5, false, 32)...)
	add(bad(k, 3, false)...)
	const big = 10 << 20
	for _, n := range []int{100, 1000, 10000} {
		add(atOnce(m, "128 KiB", 128*kib, n, 1))
	}
	add(atOnce(k, "128 KiB", 128*kib, 100, 3), longFatOf(k))
	add(s128at800.of(k, 1, false, 64, 128)...)
	add(bad(k, 1, true)...)
	add(atOnce(m, "10 MiB", big, 100, 1), atOnce(k, "10 MiB", big, 100, 1), atOnce(m, "10 MiB", big, 1000, 1))
	add(s128at800.of(k, 1, false, 256)...)
	add(s1mat800.of(k, 1, false, 32)...)
	add(core(m)...)
	add(ablations()...)
	add(classicVariants()...)
	add(others()...)
	add(pictures()...)
	return append(all, atOnce(m, "10 MiB", big, 10000, 1)) // a night
}

// core is the protocol without a wire, everywhere: what it takes of the time, and what the wire does.
func core(m runner) (all []trial) {
	all = append(all, s128at800.of(m, 5, false, 1, 2, 4, 8, 16, 32, 64, 128, 256)...)
	all = append(all, s128at400.of(m, 5, false, 2, 4, 8, 16, 32)...)
	all = append(all, s64at800.of(m, 5, false, 32)...)
	all = append(all, s4at800.of(m, 5, false, 32)...)
	all = append(all, bad(m, 3, false)...)
	all = append(all, bad(m, 1, true)...)
	all = append(all, s1mat800.of(m, 1, false, 32)...)
	classic := overMem("classic")
	all = append(all, s128at800.of(classic, 3, true, 1, 2, 4, 8, 16, 32, 64)...)
	return append(all, s128at400.of(classic, 3, true, 1, 2, 4, 8, 16, 32, 64)...)
}

// others is the rivals in every row.
func others() (all []trial) {
	for _, r := range []runner{overNet(BitTorrent()), overNet(PlainHTTP())} {
		rates := []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
		if r.name == "http/tcp" {
			rates = append([]float64{0.25, 0.5}, rates...)
		}
		sweep := r.name != "http/tcp" // which takes no time to run
		all = append(all, s128at800.of(r, 5, sweep, rates...)...)
		all = append(all, s128at400.of(r, 3, sweep, 0.25, 0.5, 1, 2, 4, 8, 16, 32)...)
		for _, s := range []series{s64at800, s4at800, s1mat800} {
			all = append(all, s.of(r, 3, false, 32)...)
		}
		for _, x := range append(bad(r, 1, false), bad(r, 1, true)...) {
			x.PoolMax = min(x.PoolMax, 400) // at 32/s a mean of 12 s
			all = append(all, x)
		}
		all = append(all, atOnce(r, "128 KiB", 128*kib, 100, 3), atOnce(r, "10 MiB", 10<<20, 100, 1), longFatOf(r))
	}
	for i := range all {
		all[i].PoolMax = min(all[i].PoolMax, 600)
		if all[i].figure == "crowd" {
			all[i].PoolMax = 1 << 20
		}
	}
	r := overNet(PluginHTTP())
	return append(append(all, s128at800.of(r, 3, true, 0.5, 1, 2, 4, 8, 16, 32)...), longFatOf(r))
}

// pictures is what figures 6 and 8 have besides: other sizes, and other wires.
func pictures() (all []trial) {
	for _, s := range []series{s64at800, s4at800} {
		for _, r := range []runner{tunedKCP(), overNet(BitTorrent()), overNet(PlainHTTP())} {
			all = append(all, s.of(r, 1, true, 1, 2, 4, 8, 16, 32)...)
		}
	}
	all = append(all, s128at800.of(tunedUDP(), 3, true, 1, 2, 4, 8, 16, 32)...)
	for _, wire := range []string{"udp", "kcp"} {
		around := startKCPClock
		if wire == "udp" {
			around = nil
		}
		r := overNet(Roulette("classic", wire, around))
		all = append(all, s128at800.of(r, 1, true, 2, 8, 32)...)
		all = append(all, s128at400.of(r, 1, true, 2, 8, 32)...)
	}
	return append(all, longFatOf(tunedUDP()))
}
