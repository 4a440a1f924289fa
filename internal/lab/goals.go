package lab

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// What the goals are held against, and who is to be left behind.
const (
	ours     = "roulette-tuned/kcp"
	oursCore = "roulette-tuned/mem"
)

var rivals = [...]string{"bittorrent/tcp", "http/tcp"}

// Goal is one row of the table of goals: the places whose figures it is about, of which the first is
// the case that the rivals are seen at, too.
type Goal struct {
	What, Aim string
	At        []Place
	// Judge writes the figures of all places, and whether they reach the goal. It is called with
	// results of Done > 0 that are stable, unless Unstable says that it looks for itself.
	Judge    func([]Result) (string, bool)
	Unstable bool
	Last     bool // rivals are compared by their last finisher, not by their mean
}

// Goals lists what the lab is to show, in the order of the paper's figures and then of the bad days.
func Goals() (all []Goal) {
	at := func(figure, name string, rate float64) []Place { return []Place{{figure, ours, name, rate}} }
	for _, rate := range []float64{1, 2, 4} {
		all = append(all, Goal{What: fmt.Sprintf("128 KiB, 800 kbit/s, %g/s", rate), Aim: "mean <= 1.7x", At: at("128k-800", "", rate), Judge: within(1.7, 0)})
	}
	for _, rate := range []float64{8, 16, 32, 64, 128, 256} {
		all = append(all, Goal{What: fmt.Sprintf("128 KiB, 800 kbit/s, %g/s", rate), Aim: "mean <= 1.45x, p95 <= 1.7x", At: at("128k-800", "", rate), Judge: within(1.45, 1.7)})
	}
	var low []Place
	for _, rate := range []float64{2, 4, 8, 16, 32} {
		low = append(low, Place{"128k-400", ours, "", rate})
		all = append(all, Goal{What: fmt.Sprintf("128 KiB, 400 kbit/s, %g/s", rate), Aim: "mean <= 1.45x", At: at("128k-400", "", rate), Judge: within(1.45, 0)})
	}
	all = append(all,
		Goal{What: "the same, growth from 2/s to 32/s", Aim: "<= 0.05 s per doubling", At: []Place{low[len(low)-1], low[0]}, Judge: growth(0.05)},
		Goal{What: "64 KiB, 800 kbit/s, 32/s", Aim: "mean <= 1.7x", At: at("64k-800", "", 32), Judge: within(1.7, 0)},
		Goal{What: "1 MiB, 800 kbit/s, 32/s", Aim: "mean <= 1.3x", At: at("1m-800", "", 32), Judge: within(1.3, 0)},
		Goal{What: "4 KiB, 800 kbit/s, 32/s", Aim: "mean <= 0.5 s", At: at("4k-800", "", 32), Judge: soon(0.5)},
		received(),
		Goal{What: "1 % loss, 32/s", Aim: "mean <= 1.55x", At: at("adverse", "1 % loss", 32), Judge: within(1.55, 0)},
		Goal{What: "5 % loss, 32/s", Aim: "mean <= 1.9x", At: at("adverse", "5 % loss", 32), Judge: within(1.9, 0)},
		Goal{What: "every peer leaves silently, 32/s", Aim: "mean <= 1.7x", At: at("adverse", "silent", 32), Judge: within(1.7, 0)},
		Goal{What: "every peer leaves silently, 128/s", Aim: "mean <= 1.7x", At: at("adverse", "silent", 128), Judge: within(1.7, 0)},
		Goal{What: "90 % leave within 10 s, 1 MiB", Aim: "all stayers finish", At: at("adverse", "90 % leave", 16), Judge: everybody, Unstable: true},
	)
	clean := Place{"128k-800", ours, "", 32}
	for _, x := range []struct {
		name string
		most float64
	}{{"10 % free riders", 1.1}, {"30 % free riders", 1.25}} {
		all = append(all, Goal{What: x.name + ", 32/s", Aim: fmt.Sprintf("honest <= %gx of the clean run, free riders >= 3x of the honest", x.most),
			At: []Place{{"adverse", ours, x.name, 32}, clean}, Judge: freeRiders(x.most)})
	}
	all = append(all, Goal{What: "10 % BitTyrant-like peers, 32/s", Aim: "they gain nothing", At: at("adverse", "10 % tyrants", 32), Judge: tyrants},
		Goal{What: "10 % poisoners, 32/s", Aim: "everybody honest finishes", At: at("adverse", "10 % poisoners", 32), Judge: everybody, Unstable: true},
		Goal{What: "uplinks a tenth of the downlinks, 32/s", Aim: "figure reported", At: at("adverse", "uplinks a tenth", 32), Judge: reported})
	all = append(all, crowdGoals()...)
	return append(all, Goal{What: "100 MiB, 100 Mbit/s, 100 ms, 8 neighbours", Aim: ">= 80 % of the link", At: at("longfat", "100 MiB", 0), Judge: link})
}

func crowdGoals() (all []Goal) {
	for _, size := range []string{"128 KiB", "10 MiB"} {
		for _, n := range []int{100, 1000, 10000} {
			system := oursCore
			if n == 100 {
				system = ours
			}
			g := Goal{What: fmt.Sprintf("one shot, %d readers, %s (%s)", n, size, system), At: []Place{{"crowd", system, crowdName(size, n), 0}}, Judge: oneShot, Last: true}
			if g.Aim = "last <= 1.5 x L2 + log2 N hops"; size == "128 KiB" {
				g.Aim, g.Judge = "figure reported", reportedCrowd
			}
			all = append(all, g)
		}
	}
	return all
}

func crowdName(size string, n int) string { return fmt.Sprintf("%s, %d at once", size, n) }

// within holds mean and p95 to multiples of the bound; 0: any.
func within(mean, p95 float64) func([]Result) (string, bool) {
	return func(rs []Result) (string, bool) {
		r := rs[0]
		s, ok := fmt.Sprintf("%.2fx", r.Ratio()), r.Ratio() <= mean
		if p95 > 0 {
			s += fmt.Sprintf(", p95 %.2fx", r.P95/r.Bound)
			ok = ok && r.P95 <= p95*r.Bound
		}
		return s + runsOf(r), ok
	}
}

func runsOf(r Result) string {
	if r.Runs == 1 {
		return fmt.Sprintf(" *(seed %d)*", r.Seed)
	}
	return fmt.Sprintf(" (mean %.2f-%.2fx; %d runs)", r.MeanLow/r.Bound, r.MeanHigh/r.Bound, r.Runs)
}

func soon(mean float64) func([]Result) (string, bool) {
	return func(rs []Result) (string, bool) {
		return fmt.Sprintf("%.2f s, p95 %.2f s%s", rs[0].Mean, rs[0].P95, runsOf(rs[0])), rs[0].Mean <= mean
	}
}

// growth is of the mean per doubling of the rate, from the last place to the first.
func growth(most float64) func([]Result) (string, bool) {
	return func(rs []Result) (string, bool) {
		g := (rs[0].Mean - rs[1].Mean) / math.Log2(rs[0].Rate/rs[1].Rate)
		return fmt.Sprintf("%+.3f s", g), g <= most
	}
}

// flat is how much more the rate with the most bytes may have than the one with the fewest.
const flat = 1.05

func received() Goal {
	g := Goal{What: "bytes received per byte, 128 KiB, 800 kbit/s, 1/s to 256/s", Aim: "<= 1.18 and flat"}
	for _, rate := range []float64{32, 1, 2, 4, 8, 16, 64, 128, 256} {
		g.At = append(g.At, Place{"128k-800", ours, "", rate})
	}
	g.Judge = func(rs []Result) (string, bool) {
		low, high := math.Inf(1), 0.0
		for _, r := range rs {
			low, high = min(low, r.Received), max(high, r.Received)
		}
		return fmt.Sprintf("%.3f to %.3f", low, high), high <= 1.18 && high <= flat*low
	}
	return g
}

func everybody(rs []Result) (string, bool) {
	return fmt.Sprintf("%d of %d, last after %.1f s", rs[0].Done, rs[0].Readers, rs[0].Worst), rs[0].Done == rs[0].Readers
}

func freeRiders(most float64) func([]Result) (string, bool) {
	return func(rs []Result) (string, bool) {
		honest, free := rs[0].Honest/rs[1].Mean, rs[0].Free/rs[0].Honest
		return fmt.Sprintf("%.2fx, free riders %.1fx%s", honest, free, runsOf(rs[0])), honest <= most && free >= 3
	}
}

func tyrants(rs []Result) (string, bool) {
	gain := rs[0].Free / rs[0].Honest
	return fmt.Sprintf("%.2fx of an honest peer's time%s", gain, runsOf(rs[0])), gain >= 1
}

func reported(rs []Result) (string, bool) {
	return fmt.Sprintf("%.2f s, %.2fx of its bound%s", rs[0].Mean, rs[0].Ratio(), runsOf(rs[0])), true
}

// hop is the mean delay of one hop of the lab's hosts.
const hop = 30 * time.Millisecond

func oneShot(rs []Result) (string, bool) {
	r := rs[0]
	most := 1.5*r.Bound + math.Log2(float64(r.Readers/r.Runs))*hop.Seconds()
	return fmt.Sprintf("last %.2f s = %.2fx L2; allowed %.2f s%s", r.Worst, r.Worst/r.Bound, most, runsOf(r)), r.Worst <= most
}

func reportedCrowd(rs []Result) (string, bool) {
	s, _ := oneShot(rs)
	return s, true
}

func link(rs []Result) (string, bool) {
	return fmt.Sprintf("%.0f %%%s", 100/rs[0].Ratio(), runsOf(rs[0])), 1/rs[0].Ratio() >= 0.8
}

// tooMuch returns the lowest rate below a place's that its system did not bear in the same case; 0 if there is none.
func (s *Runs) tooMuch(p Place) (rate float64) {
	for _, r := range s.figures[p.Figure] {
		if r.Name() == p.System && r.Case == p.Case && !r.Stable && r.Rate < p.Rate && r.Rate > 0 && (rate == 0 || r.Rate < rate) {
			rate = r.Rate
		}
	}
	return rate
}

// GoalTable has every goal with its figure, and how far the rivals are behind.
func (s *Runs) GoalTable(goals []Goal) string {
	var b strings.Builder
	reached, open := 0, 0
	for _, g := range goals {
		figure, verdict := s.judge(g)
		switch verdict {
		case "yes":
			reached++
		case "":
			open++
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |", g.What, g.Aim, figure, verdict)
		first, ahead := s.cost(g.At[0], g.Last), "yes"
		for _, name := range rivals {
			p := g.At[0]
			p.System = name
			r, ok := s.At(p)
			cost := s.cost(p, g.Last)
			switch {
			case !ok && s.tooMuch(p) > 0: // what it does not bear at a lower rate, it bears no better at this one
				fmt.Fprintf(&b, " not at %g/s |", s.tooMuch(p))
			case !ok:
				b.WriteString("  |")
				ahead = ""
				continue
			case !r.Stable:
				fmt.Fprintf(&b, " %s |", notStable(r))
			default:
				fmt.Fprintf(&b, " %.2fx |", cost/r.Bound)
			}
			if ahead == "yes" && !(first < cost) {
				ahead = "**no**"
			}
		}
		if figure == "" {
			ahead = ""
		}
		fmt.Fprintf(&b, " %s |\n", ahead)
	}
	return fmt.Sprintf("\n%d of %d goals are reached, %d are not measured yet.\n\n| case | goal | figure | reached | bittorrent | http | ahead of both |\n|---|---|---|---|---|---|---|\n%s\n", reached, len(goals), open, b.String())
}

// judge returns a goal's figure and "yes", "no", or nothing while a place is not measured.
func (s *Runs) judge(g Goal) (figure, verdict string) {
	var rs []Result
	for _, p := range g.At {
		r, ok := s.At(p)
		if !ok {
			return "", ""
		}
		if !g.Unstable && !r.Stable {
			return fmt.Sprintf("%s: %d of %d done%s", undone(r), r.Done, r.Readers, because(r)), "**no**"
		}
		rs = append(rs, r)
	}
	figure, ok := g.Judge(rs)
	if ok {
		return figure, "yes"
	}
	return figure, "**no**"
}

// undone says what did not come about: a stable pool, or that a crowd is served.
func undone(r Result) string {
	if r.Rate == 0 {
		return notStable(r) + " all in time"
	}
	return fmt.Sprintf("%s stable at %g/s", notStable(r), r.Rate)
}

// because is why, as the reader that gave up first said it: its first clause, without what every reader says.
func because(r Result) string {
	why, _, _ := strings.Cut(r.Failure, "; ")
	if why = strings.TrimPrefix(why, "transport: no peer delivers: "); why == "" {
		return ""
	}
	return "; " + why
}

// cost is what systems are compared by: infinite if not stable or not measured.
func (s *Runs) cost(p Place, last bool) float64 {
	switch r, ok := s.At(p); {
	case !ok || !r.Stable:
		return math.Inf(1)
	case last:
		return r.Worst
	default:
		return r.Mean
	}
}
