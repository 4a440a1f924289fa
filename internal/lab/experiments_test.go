package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// The lab's experiments. They are tests because virtual time needs one, and are
// skipped unless NT_LAB asks for them: "quick" for one line per system, "full" for the
// tables and pictures in docs/experiments. NT_LAB_RUNS is how often each case is run, with
// seeds 1, 2, ...

const (
	kib        = 1 << 10
	resultsDir = "../../docs/experiments"
)

// runner runs one case of one system.
type runner struct {
	name string
	run  func(t *testing.T, c Case) Result
}

func overNet(s System) runner {
	return runner{s.Name + "/" + s.Wire, func(t *testing.T, c Case) Result {
		c.Progress = progress(s.Name, c)
		return run(t, s, c)
	}}
}

func overMem(profile string) runner {
	return runner{"roulette-" + profile + "/mem", func(t *testing.T, c Case) Result {
		r := RunMem(profile, c)
		t.Logf("%s seed=%d %s", r.Line(), c.Seed, r.Note())
		return r
	}}
}

// progress tells of long runs on the standard error stream.
func progress(name string, c Case) func(second, pool int) {
	return func(second, pool int) {
		if second%10 == 0 && os.Getenv("NT_LAB") == "full" {
			fmt.Fprintf(os.Stderr, "  %s size=%d kbps=%d rate=%g seed=%d: %d s, %d in the pool\n", name, c.Size, c.Kbps, c.Rate, c.Seed, second, pool)
		}
	}
}

func wants(t *testing.T, mode string) {
	t.Helper()
	if os.Getenv("NT_LAB") != mode {
		t.Skipf("set NT_LAB=%s", mode)
	}
}

// repeat runs a case with seeds 1 to n and joins the results. A case that does not
// stabilise is not run again: nothing but its instability is told.
func repeat(t *testing.T, r runner, c Case, n int) Result {
	var all []Result
	for seed := range n {
		c.Seed = uint64(seed + 1)
		if all = append(all, r.run(t, c)); !all[seed].Stable {
			break
		}
	}
	m := Median(all)
	if !m.Stable {
		fmt.Printf("# %s kbps=%d size=%d rate=%g: ", r.name, c.Kbps, c.Size, c.Rate)
	} else {
		fmt.Println(m.Line())
		fmt.Print("# ")
	}
	fmt.Println(m.Note())
	return m
}

func runs(fallback int) int {
	if n, err := strconv.Atoi(os.Getenv("NT_LAB_RUNS")); err == nil && n > 0 {
		return n
	}
	return fallback
}

// TestLabQuick prints one line per system, each at a rate it bears, and fails when one
// of ours has become slower than its recorded ceiling.
func TestLabQuick(t *testing.T) {
	wants(t, "quick")
	base := Case{Size: 128 * kib, Kbps: 800}
	for _, x := range quickCases() {
		c := base
		c.Rate = x.rate
		r := repeat(t, x.runner, c, runs(x.runs))
		if x.ceiling > 0 && (!r.Stable || r.Ratio() > x.ceiling) {
			t.Errorf("%s at %g/s: ratio %.2f is over its ceiling of %.2f, or it did not stabilise: %s", x.name, x.rate, r.Ratio(), x.ceiling, r.Note())
		}
	}
	s := Swarm{base.Size, 32, 1e5, 1e5, 32e5}
	fmt.Printf("# one reader alone: %.2f s; 32 at once: L1 %.2f s, L2 %.2f s\n", Solo(base.Size, 1e5).Seconds(), s.ClientServer().Seconds(), s.PeerToPeer().Seconds())
}

type quickCase struct {
	runner
	rate    float64
	runs    int
	ceiling float64 // of the ratio: what was measured and a tenth; 0 for others' systems
}

func quickCases() []quickCase {
	return []quickCase{
		{overNet(Roulette("tuned", "kcp", startKCPClock)), 8, 1, 1.9},
		{overNet(Roulette("tuned", "udp", nil)), 4, 1, 1.95},
		{overMem("tuned"), 8, 1, 1.8},
		{overMem("classic"), 8, 1, 3.4},
		{overNet(BitTorrent()), 8, 1, 0},
		{overNet(PluginHTTP()), 4, 3, 3.4},
		{overNet(PlainHTTP()), 0.5, 3, 0},
	}
}

// sweep is the rates at which a system is run; it stops at the first that it does not bear.
type sweep struct {
	runner
	rates []float64
}

func sweeps() []sweep {
	return []sweep{
		{overMem("tuned"), []float64{1, 2, 4, 8, 16, 32, 64, 128}},
		{overNet(Roulette("tuned", "kcp", startKCPClock)), []float64{1, 2, 4, 8, 16, 32}},
		{overNet(Roulette("tuned", "udp", nil)), []float64{1, 2, 4, 8, 16, 32}},
		{overMem("classic"), []float64{1, 2, 4, 8, 16, 32, 64, 128}},
		{overNet(Roulette("classic", "udp", nil)), []float64{2, 8, 32}},
		{overNet(Roulette("classic", "kcp", startKCPClock)), []float64{2, 8, 32}},
		{overNet(BitTorrent()), []float64{1, 2, 4, 8, 16, 32}},
		{overNet(PluginHTTP()), []float64{0.5, 1, 2, 4, 8, 16, 32}},
		{overNet(PlainHTTP()), []float64{0.25, 0.5, 1, 2, 4, 8, 16, 32}},
	}
}

func (s sweep) over(t *testing.T, c Case, n int) (all []Result) {
	for _, rate := range s.rates {
		c.Rate = rate
		r := repeat(t, s.runner, c, n)
		if all = append(all, r); !r.Stable {
			break
		}
	}
	return all
}

// figure is one experiment of the paper.
type figure struct {
	name, title string
	size        int64
	kbps        int
}

func figures() []figure {
	return []figure{
		{"4k-800", "4 KiB at 800 kbit/s", 4 * kib, 800},
		{"64k-800", "64 KiB at 800 kbit/s", 64 * kib, 800},
		{"128k-800", "128 KiB at 800 kbit/s", 128 * kib, 800},
		{"128k-400", "128 KiB at 400 kbit/s", 128 * kib, 400},
	}
}

// TestLabFigures redraws figures 6, 7 and 8 of the paper (F46 to F50). With
// NT_LAB_FIGURE or NT_LAB_SYSTEM only those are measured again; the others' figures
// are taken from the tables that are there.
func TestLabFigures(t *testing.T) {
	wants(t, "full")
	for _, fig := range figures() {
		if !chosen("NT_LAB_FIGURE", fig.name) {
			continue
		}
		table := load(t, fig.name+".csv")
		for _, s := range sweeps() {
			if !chosen("NT_LAB_SYSTEM", s.name) {
				continue
			}
			table = slices.DeleteFunc(table, s.owns)
			table = append(table, s.over(t, Case{Size: fig.size, Kbps: fig.kbps, PoolMax: 1000}, runs(5))...)
			save(t, fig.name+".csv", func(f *os.File) error { return WriteCSV(f, table) })
		}
		fig.draw(t, table)
	}
}

func chosen(variable, name string) bool {
	only := os.Getenv(variable)
	return only == "" || only == name
}

func (r runner) owns(x Result) bool { return r.name == x.System+"/"+x.Wire }

// draw makes the pictures of a table: times, as in figures 6 and 7, and bytes, as in figure 8.
func (fig figure) draw(t *testing.T, table []Result) {
	number := "6"
	if fig.kbps != 800 {
		number = "7"
	}
	times := Plot{Title: "As figure " + number + ": " + fig.title, XLabel: "arrivals per second", YLabel: "mean time, s", YMax: 25}
	received := Plot{Title: "As figure 8: " + fig.title, XLabel: "arrivals per second", YLabel: "bytes received per byte of the object"}
	for _, s := range sweeps() {
		var mine []Result
		for _, r := range table {
			if s.owns(r) {
				mine = append(mine, r)
			}
		}
		times.Series = append(times.Series, SeriesOf(s.name, mine, func(r Result) float64 { return r.Mean }))
		received.Series = append(received.Series, SeriesOf(s.name, mine, func(r Result) float64 { return r.Received }))
	}
	solo := Solo(fig.size, float64(fig.kbps)*125).Seconds()
	times.Series = append(times.Series, Series{Name: "one reader alone, F/d", X: []float64{0.25, 128}, Y: []float64{solo, solo}, Dashed: true})
	save(t, "time-"+fig.name+".svg", func(f *os.File) error { _, err := f.Write(times.SVG()); return err })
	save(t, "bytes-"+fig.name+".svg", func(f *os.File) error { _, err := f.Write(received.SVG()); return err })
}

func load(t *testing.T, name string) []Result {
	t.Helper()
	f, err := os.Open(filepath.Join(resultsDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := ReadCSV(f)
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return table
}

func save(t *testing.T, name string, write func(*os.File) error) {
	t.Helper()
	f, err := os.Create(filepath.Join(resultsDir, name))
	if err == nil {
		err = write(f)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatalf("writing %s: %v", name, err)
	}
}

// measure runs a table of cases: of the chosen systems anew.
func measure(t *testing.T, name string, cases []labCase) {
	table := load(t, name)
	for _, x := range cases {
		if !chosen("NT_LAB_SYSTEM", x.runner.name) {
			continue
		}
		table = slices.DeleteFunc(table, func(r Result) bool { return x.owns(r) && r.Case == x.name })
		fmt.Printf("# %s:\n", x.name)
		r := repeat(t, x.runner, x.Case, runs(5))
		r.Case = x.name
		table = append(table, r)
		save(t, name, func(f *os.File) error { return WriteCSV(f, table) })
	}
}

type labCase struct {
	runner
	name string
	Case
}

// TestLabCrowd is the one-shot flash crowd (F51): all come at once, and leave when
// they are done.
func TestLabCrowd(t *testing.T) {
	wants(t, "full")
	var cases []labCase
	for _, n := range []int{100, 1000, 10000} {
		for _, r := range crowdRunners() {
			if n <= r.most {
				s := Swarm{128 * kib, n, 1e5, 1e5, float64(n) * 1e5}
				name := fmt.Sprintf("%d at once; L1 %.2f s; L2 %.2f s", n, s.ClientServer().Seconds(), s.PeerToPeer().Seconds())
				cases = append(cases, labCase{r.runner, name, Case{Size: 128 * kib, Kbps: 800, Readers: n, PoolMax: 1 << 20, TimeMax: 5 * time.Minute}})
			}
		}
	}
	measure(t, "crowd.csv", cases)
}

type crowdRunner struct {
	runner
	most int // readers
}

func crowdRunners() []crowdRunner {
	return []crowdRunner{{overMem("tuned"), 10000}, {overNet(Roulette("tuned", "kcp", startKCPClock)), 100}, {overNet(BitTorrent()), 100}, {overNet(PluginHTTP()), 100}, {overNet(PlainHTTP()), 100}}
}

// TestLabAdverse is what a crowd meets on bad days: loss, silent leavers, free riders,
// poisoners, uplinks a tenth of the downlinks.
func TestLabAdverse(t *testing.T) {
	wants(t, "full")
	var cases []labCase
	for _, x := range []struct {
		name   string
		change func(*Case)
	}{
		{"clean", func(*Case) {}},
		{"loss 1 %", func(c *Case) { c.Loss = 0.01 }},
		{"loss 5 %", func(c *Case) { c.Loss = 0.05 }},
		{"all leave silently", func(c *Case) { c.Silent = 1 }},
		{"10 % poisoners", func(c *Case) { c.Poison = 0.1 }},
		{"10 % free riders", func(c *Case) { c.Free = 0.1 }},
		{"30 % free riders", func(c *Case) { c.Free = 0.3 }},
		{"uplinks a tenth", func(c *Case) { c.UpKbps, c.SeedUp = c.Kbps/10, c.Kbps }},
	} {
		for _, r := range adverseRunners() {
			c := Case{Size: 128 * kib, Kbps: 800, Rate: 8}
			x.change(&c)
			cases = append(cases, labCase{r, x.name, c})
		}
	}
	measure(t, "adverse-128k-800.csv", cases)
}

func adverseRunners() []runner {
	return []runner{overMem("tuned"), overNet(Roulette("tuned", "kcp", startKCPClock)), overNet(BitTorrent())}
}
