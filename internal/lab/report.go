package lab

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Fill puts generated text into a document: between <!-- lab: NAME --> and <!-- end -->, each on a line of
// its own, comes what sections has for NAME. The rest is written by hand and stays. A NAME without text, or a text without its place, is an error.
func Fill(doc []byte, sections map[string]string) ([]byte, error) {
	const begin, mid, end = "<!-- lab: ", " -->\n", "<!-- end -->"
	var out bytes.Buffer
	filled := 0
	for {
		head, rest, ok := bytes.Cut(doc, []byte(begin))
		out.Write(head)
		if !ok {
			break
		}
		name, rest, ok := bytes.Cut(rest, []byte(mid))
		_, tail, closed := bytes.Cut(rest, []byte(end))
		text, known := sections[string(name)]
		if !ok || !closed || !known {
			return nil, fmt.Errorf("section %.40q is not closed, or there is no such table", name)
		}
		fmt.Fprintf(&out, "%s%s%s%s%s", begin, name, mid, text, end)
		doc, filled = tail, filled+1
	}
	if filled != len(sections) {
		return nil, fmt.Errorf("%d of %d tables have a place", filled, len(sections))
	}
	return out.Bytes(), nil
}

// spreadOf writes a median, and how far the runs are apart or that there was but one.
func spreadOf(r Result, get func(Result) (mid, low, high float64)) string {
	mid, low, high := get(r)
	if r.Runs == 1 {
		return fmt.Sprintf("%.2f *(seed %d)*", mid, r.Seed)
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f; %d)", mid, low, high, r.Runs)
}

func meanOf(r Result) (mid, low, high float64) { return r.Mean, r.MeanLow, r.MeanHigh }

// notStable says so, and of how many runs.
func notStable(r Result) string {
	if r.Runs == 1 {
		return "not"
	}
	return fmt.Sprintf("not (%d of %d runs)", r.Runs-r.Steady, r.Runs)
}

// SweepTable has a figure over the rate: a row for each system, mean times, then p95 and bytes received.
func (s *Runs) SweepTable(figure string, systems []string) string {
	runs := s.figures[figure]
	if len(runs) == 0 {
		return "\nNot measured.\n\n"
	}
	rates := values(runs, func(r Result) float64 { return r.Rate })
	slices.Sort(rates)
	var b strings.Builder
	fmt.Fprintf(&b, "\nOne reader alone, F/d: %.2f s. Mean time in seconds (low to high; how many runs):\n\n", runs[0].Bound)
	s.sweep(&b, figure, "mean", systems, rates, func(r Result) string { return spreadOf(r, meanOf) })
	b.WriteString("\np95 in seconds, and bytes received per byte of the object:\n\n")
	s.sweep(&b, figure, "p95, received", systems, rates, func(r Result) string { return fmt.Sprintf("%.2f, %.2f", r.P95, r.Received) })
	b.WriteByte('\n')
	return b.String()
}

func (s *Runs) sweep(b *strings.Builder, figure, title string, systems []string, rates []float64, cell func(Result) string) {
	fmt.Fprintf(b, "| %s |", title)
	for _, rate := range rates {
		fmt.Fprintf(b, " %g/s |", rate)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(rates)) + "\n")
	for _, name := range values(s.figures[figure], Result.Name, systems...) {
		fmt.Fprintf(b, "| %s |", name)
		for _, rate := range rates {
			switch r, ok := s.At(Place{Figure: figure, System: name, Rate: rate}); {
			case !ok:
				b.WriteString("  |")
			case !r.Stable:
				fmt.Fprintf(b, " %s |", notStable(r))
			default:
				fmt.Fprintf(b, " %s |", cell(r))
			}
		}
		b.WriteByte('\n')
	}
}

// CaseTable has a figure's cases, each with the systems that met it.
func (s *Runs) CaseTable(figure string, cases, systems []string) string {
	runs := s.figures[figure]
	if len(runs) == 0 {
		return "\nNot measured.\n\n"
	}
	var b strings.Builder
	b.WriteString("\n| case | system | mean s | ratio | p95 s | last s | received | seed share | who plays fair s | who does not s | done |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range values(runs, func(r Result) string { return r.Case }, cases...) {
		for _, system := range values(runs, Result.Name, systems...) {
			for _, rate := range values(runs, func(r Result) float64 { return r.Rate }) {
				if r, ok := s.At(Place{figure, system, name, rate}); ok {
					fmt.Fprintf(&b, "| %s | %s | %s |\n", r.caseName(), system, r.cells())
				}
			}
		}
	}
	return b.String() + "\n"
}

func (r Result) caseName() string {
	if r.Rate == 0 {
		return r.Case
	}
	return fmt.Sprintf("%s, %g/s", r.Case, r.Rate)
}

func (r Result) cells() string {
	done := fmt.Sprintf("%d of %d", r.Done, r.Readers)
	if !r.Stable {
		return fmt.Sprintf("%s | | | | | | | | %s", notStable(r), done)
	}
	fair, unfair := "", ""
	if r.Free > 0 {
		fair, unfair = fmt.Sprintf("%.2f", r.Honest), fmt.Sprintf("%.2f", r.Free)
	}
	return fmt.Sprintf("%s | %.2f | %.2f | %.2f | %.2f | %.3f | %s | %s | %s", spreadOf(r, meanOf), r.Ratio(), r.P95, r.Worst, r.Received, r.SeedShare, fair, unfair, done)
}

// States tells with which states of the code the store's runs were made.
func (s *Runs) States() string {
	count := map[string]map[string]int{}
	for _, runs := range s.figures {
		for _, r := range runs {
			if count[r.Name()] == nil {
				count[r.Name()] = map[string]int{}
			}
			count[r.Name()][r.State]++
		}
	}
	var lines []string
	for name, of := range count {
		var parts []string
		for state, n := range of {
			parts = append(parts, fmt.Sprintf("%s (%d runs)", state, n))
		}
		slices.Sort(parts)
		lines = append(lines, fmt.Sprintf("| %s | %s |\n", name, strings.Join(parts, ", ")))
	}
	slices.Sort(lines)
	return "\n| system | state of its code |\n|---|---|\n" + strings.Join(lines, "") + "\n"
}

// Cell is a column of a VariantTable.
type Cell struct {
	Figure string
	Rate   float64
	Title  string
}

// VariantTable has a system's cases at several places: mean and p95, and bytes received.
func (s *Runs) VariantTable(system string, cases []string, cells []Cell) string {
	var b strings.Builder
	b.WriteString("\n| variant |")
	for _, c := range cells {
		fmt.Fprintf(&b, " %s |", c.Title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(cells)) + "\n")
	for _, name := range cases {
		fmt.Fprintf(&b, "| %s |", name)
		for _, c := range cells {
			switch r, ok := s.At(Place{c.Figure, system, name, c.Rate}); {
			case !ok:
				b.WriteString("  |")
			case !r.Stable:
				fmt.Fprintf(&b, " not (pool %d) |", r.Pool)
			default:
				fmt.Fprintf(&b, " %.2f / %.2f / %.3f |", r.Mean, r.P95, r.Received)
			}
		}
		b.WriteByte('\n')
	}
	return b.String() + "\n"
}
