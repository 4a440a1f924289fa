package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// comparePlan says how long and hard both trackers are asked.
type comparePlan struct {
	load          string // the load generator
	rounds        int
	rate, seconds int
}

func compareFlags(f *flag.FlagSet) func(*lab) error {
	var p comparePlan
	program(f, &p.load, "load", "compare: the program internal/lab/trackerload")
	f.IntVar(&p.rounds, "rounds", 7, "compare: how often each tracker is asked, in turn")
	f.IntVar(&p.rate, "rate", 400_000, "compare: requests offered a second")
	f.IntVar(&p.seconds, "seconds", 3, "compare: how long, each time")
	return func(l *lab) error { return compare(l, p) }
}

// measured is one round of one tracker.
type measured struct {
	byClock, byCPU, p50, p99 float64 // answers a second, answers a CPU second, milliseconds
	loss                     float64 // per cent
}

// core0 is where trackers run; the generator has the other core.
var core0, core1 = []string{"taskset", "-c", "0"}, []string{"taskset", "-c", "1"}

// compare asks nt and opentracker in turn: first as many as they bear, then at half of the rate that
// the slower one bore, for the delays; then nt's other doors.
func compare(l *lab, p comparePlan) error {
	if p.load == "" {
		return errors.New("say where trackerload is: -load FILE")
	}
	if out, err := l.command("load", nil, p.load, "-write-whitelist", l.dir+"/list.txt").CombinedOutput(); err != nil {
		return fmt.Errorf("writing the infohashes: %w: %s", err, out)
	}
	os.Chmod(l.dir, 0o755) // opentracker gives up its rights before it reads the list
	names := []string{"nt", "opentracker"}
	full := map[string][]measured{}
	for range p.rounds {
		for _, name := range names {
			m, err := l.round(name, p.load, "-mode", "bep15", "-rate", strconv.Itoa(p.rate), "-time", fmt.Sprint(p.seconds, "s"))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			full[name] = append(full[name], m)
		}
	}
	l.printf("BEP 15, one core each, %d answers a second asked for, medians (lowest to highest) of %d rounds\n", p.rate, p.rounds)
	l.printf("| | answers/s by the clock | answers per CPU second | p50, ms | p99, ms | unanswered |\n|---|---|---|---|---|---|")
	for _, name := range names {
		l.row(name, full[name])
	}
	clock, cpu := ratio(full, func(m measured) float64 { return m.byClock }), ratio(full, func(m measured) float64 { return m.byCPU })
	l.printf("\nnt/opentracker: %.2f by the clock, %.2f by CPU time\n", clock, cpu)
	half := strconv.Itoa(int(median(full["nt"], func(m measured) float64 { return m.byClock })+median(full["opentracker"], func(m measured) float64 { return m.byClock })) / 4)
	l.printf("Half of what they bear (%s/s), for the delays:\n\n| | answers/s by the clock | answers per CPU second | p50, ms | p99, ms | unanswered |\n|---|---|---|---|---|---|", half)
	for _, name := range names {
		var ms []measured
		for range max(p.rounds/2, 1) {
			m, err := l.round(name, p.load, "-mode", "bep15", "-rate", half, "-time", fmt.Sprint(p.seconds, "s"))
			if err != nil {
				return err
			}
			ms = append(ms, m)
		}
		l.row(name, ms)
	}
	l.printf("\nThe other doors of nt, rates that it bears on one core:\n\n| | answers/s by the clock | answers per CPU second | p50, ms | p99, ms | unanswered |\n|---|---|---|---|---|---|")
	for _, door := range [][]string{{"http-bep", "8000"}, {"lookup", "2000"}, {"announce", "2000"}} {
		m, err := l.round("nt", p.load, "-mode", door[0], "-rate", door[1], "-time", fmt.Sprint(p.seconds, "s"))
		if err != nil {
			return err
		}
		l.row("nt "+door[0]+", "+door[1]+"/s offered", []measured{m})
	}
	return nil
}

// round starts a tracker on its core, asks it from the other, and ends it.
func (l *lab) round(name, load string, args ...string) (m measured, err error) {
	var t *proc
	if name == "nt" {
		t, err = l.tracker("compare", "127.0.0.1:0", core0, "--rate", "1000000")
	} else {
		t, err = l.opentracker()
	}
	if err != nil {
		return m, err
	}
	defer t.kill()
	before := t.cpu()
	out, err := l.command("load", core1, load, append([]string{"-addr", t.addr}, args...)...).CombinedOutput()
	if err != nil {
		return m, fmt.Errorf("%w: %s", err, out)
	}
	return parseLoad(string(out), t.cpu()-before)
}

// opentracker starts Debian's package, which takes listed torrents only.
func (l *lab) opentracker() (*proc, error) {
	path, err := exec.LookPath("opentracker")
	if err != nil {
		return nil, errors.New("this needs opentracker")
	}
	const port = "7171"
	t, err := l.start(l.command("open", core0, path, "-i", "127.0.0.1", "-p", port, "-P", port, "-d", l.dir, "-w", "list.txt"))
	if err != nil {
		return nil, err
	}
	t.addr = "127.0.0.1:" + port
	time.Sleep(500 * time.Millisecond) // it does not say when it is ready; the generator asks again
	return t, nil
}

var loadLine = regexp.MustCompile(`answered=(\d+)/s .*loss=(-?[\d.]+)% p50=(\S+) p99=(\S+) .*took=(\S+)`)

func parseLoad(out string, cpu time.Duration) (m measured, err error) {
	f := loadLine.FindStringSubmatch(out)
	if f == nil {
		return m, fmt.Errorf("the generator says %q", out)
	}
	var p50, p99, took time.Duration
	for text, into := range map[string]*float64{f[1]: &m.byClock, f[2]: &m.loss} {
		var bad error
		*into, bad = strconv.ParseFloat(text, 64)
		err = errors.Join(err, bad)
	}
	for i, into := range []*time.Duration{&p50, &p99, &took} {
		var bad error
		*into, bad = time.ParseDuration(f[3+i])
		err = errors.Join(err, bad)
	}
	m.p50, m.p99 = p50.Seconds()*1000, p99.Seconds()*1000
	m.byCPU = m.byClock * took.Seconds() / max(cpu.Seconds(), 0.01)
	return m, err
}

func (l *lab) row(name string, ms []measured) {
	cell := func(format string, of func(measured) float64) string {
		all := sorted(ms, of)
		text := fmt.Sprintf(format, median(ms, of))
		if len(all) > 1 {
			text += fmt.Sprintf(" ("+format+" to "+format+")", all[0], all[len(all)-1])
		}
		return text
	}
	l.printf("| %s |", strings.Join([]string{name, cell("%.0f", func(m measured) float64 { return m.byClock }), cell("%.0f", func(m measured) float64 { return m.byCPU }),
		cell("%.1f", func(m measured) float64 { return m.p50 }), cell("%.1f", func(m measured) float64 { return m.p99 }),
		cell("%.1f %%", func(m measured) float64 { return m.loss })}, " | "))
}

func sorted(ms []measured, of func(measured) float64) []float64 {
	var all []float64
	for _, m := range ms {
		all = append(all, of(m))
	}
	slices.Sort(all)
	return all
}

func median(ms []measured, of func(measured) float64) float64 { return sorted(ms, of)[len(ms)/2] }

func ratio(full map[string][]measured, of func(measured) float64) float64 {
	return median(full["nt"], of) / median(full["opentracker"], of)
}
