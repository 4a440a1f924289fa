package sim

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"nt/plugins/roulette"
)

// TestExperiments writes docs/experiments/roulette.md; it runs for minutes and
// only with NT_LAB=1.
func TestExperiments(t *testing.T) {
	if os.Getenv("NT_LAB") == "" {
		t.Skip("set NT_LAB=1 to run the sweeps")
	}
	var b strings.Builder
	b.WriteString(intro)
	for _, c := range cases() {
		if only := os.Getenv("NT_LAB_CASE"); only != "" && !strings.Contains(c.name, only) {
			continue
		}
		cfg := c.cfg
		cfg.Seed = 1
		r := Run(cfg)
		fmt.Fprintf(&b, "| %s | %.2f | %.2f | %.2f | %.2f | %.3f | %.3f | %v |\n", c.name, r.Mean, r.P95,
			r.Ratio, r.P95/r.Bound, r.Received, r.SeedShare, r.Stable)
		t.Log(r.Line(c.name, cfg))
	}
	if os.Getenv("NT_LAB_CASE") != "" { // a part is shown, not written
		return
	}
	if err := os.WriteFile("../../../docs/experiments/roulette.md", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const intro = `# Roulette in virtual time

Real cores of plugins/roulette over emulated links, every datagram marshalled; written by

    NT_LAB=1 go test ./plugins/roulette/sim -run TestExperiments -timeout 60m

Stabilised pool test (F46), one reader per slot of 1/rate at a random moment of it, readers leave the moment
they are done, the mean is over all readers that came before the pool was stable, those of the start included. Up- and downlink of the seed and of every reader
the same, one-way delay 30 ms on average (a host's part is 10 % to 190 % of 15 ms), 64 KB drop-tail queues, 72 bytes added to every message (28 for
IPv4 and UDP, 44 for gate, encryption and wire), 56 bytes an introduction, proofs counted. The seed answers JOIN itself and knows its uplink; readers estimate theirs unless it says "uplink
known". Seed of chance 1. Times in seconds; ratio is the mean over one reader alone (F/B).

| case | mean | p95 | ratio | p95 ratio | received per byte | seed share | stable |
|---|---|---|---|---|---|---|---|
`

type labCase struct {
	name string
	cfg  Config
}

func cases() (out []labCase) {
	add := func(name string, change func(*Config)) {
		c := Config{Params: roulette.Tuned(), Size: 128 << 10, Rate: 32}
		change(&c)
		out = append(out, labCase{name, c})
	}
	for _, rate := range []float64{2, 8, 32, 128, 256} {
		add(fmt.Sprintf("128 KiB, 800 kbit/s, %g/s", rate), func(c *Config) { c.Rate = rate })
	}
	for _, rate := range []float64{8, 32, 128} {
		add(fmt.Sprintf("the same, %g/s, uplink known", rate), func(c *Config) { c.Rate, c.KnowUplink = rate, true })
	}
	for _, rate := range []float64{2, 8, 32} {
		add(fmt.Sprintf("128 KiB, 400 kbit/s, %g/s", rate), func(c *Config) { c.Rate, c.UpKbps = rate, 400 })
	}
	for _, size := range []int64{4 << 10, 64 << 10, 1 << 20} {
		add(fmt.Sprintf("%d KiB, 800 kbit/s, 32/s", size>>10), func(c *Config) { c.Size = size })
	}
	add("1 % loss, 32/s", func(c *Config) { c.Loss = 0.01 })
	add("5 % loss, 32/s", func(c *Config) { c.Loss = 0.05 })
	add("everybody leaves silently, 32/s", func(c *Config) { c.Silent = 1 })
	add("everybody leaves silently, 128/s", func(c *Config) { c.Silent, c.Rate = 1, 128 })
	add("10 % free riders, 32/s", func(c *Config) { c.FreeRiders = 0.1 })
	add("30 % free riders, 32/s", func(c *Config) { c.FreeRiders = 0.3 })
	add("no swap, 32/s", func(c *Config) { c.Params.Swap = false })
	add("seed never substitutes, 32/s", func(c *Config) { c.Params.NoSubstitute = true })
	add("window 16 blocks, 32/s", func(c *Config) { c.Params.WindowBlocks = 16 })
	add("2 requests a neighbour, 32/s", func(c *Config) { c.Params.PerNeighbour = 2 })
	add("no endgame, 32/s", func(c *Config) { c.Params.Endgame = 0 })
	classic := func(name string, rate float64, change func(*Config)) {
		add("classic, "+name, func(c *Config) {
			c.Params, c.Rate, c.PoolMax = roulette.Classic(), rate, 600
			change(c)
		})
	}
	for _, rate := range []float64{2, 8, 32} {
		classic(fmt.Sprintf("%g/s", rate), rate, func(*Config) {})
	}
	classic("400 kbit/s, 8/s", 8, func(c *Config) { c.UpKbps = 400 })
	classic("8/s, the seed floods its uplink", 8, func(c *Config) { c.Params.Backlog = 0 })
	classic("8/s, tit-for-tat to the letter", 8, func(c *Config) { c.Params.TabLiteral = true })
	classic("8/s, no endgame", 8, func(c *Config) { c.Params.Endgame = 0 })
	classic("8/s, 30 % free riders", 8, func(c *Config) { c.FreeRiders = 0.3 })
	classic("8/s, everybody leaves silently", 8, func(c *Config) { c.Silent = 1 })
	return out
}
