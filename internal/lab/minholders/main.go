// Command minholders asks what it would cost to announce a page only once several readers have
// it (docs/adr/0016), and what that would hide. It prints a table as Markdown:
//
//	go run ./internal/lab/minholders > docs/experiments/min-holders.md
package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
)

// world is a month of reading. Pages are chosen by Zipf's law with that exponent, each time
// independently of the time before.
type world struct {
	readers, pages int
	visits         int // of each reader, over all days
	days           int
	zipf           float64
}

// result counts what readers want on the day after, when every origin is gone.
type result struct {
	wanted  int    // visits to pages that somebody else has read and the reader has not
	found   [4]int // of them those to pages that so many readers at least have read
	pages   int    // that were read at all
	lone    int    // that one reader has read
	holders int    // pairs of a page and a reader who has it
}

// run plays the month and the day after.
func (w world) run(seed uint64) result {
	rnd, law := rand.New(rand.NewPCG(seed, 1)), newLaw(w.pages, w.zipf)
	readers := make([]int, w.pages)   // by page
	own := make([][]int32, w.readers) // pages by reader, sorted
	var res result
	for r := range own {
		for range w.visits {
			own[r] = append(own[r], int32(law.draw(rnd)))
		}
		slices.Sort(own[r])
		own[r] = slices.Compact(own[r])
		for _, p := range own[r] {
			readers[p]++
		}
		res.holders += len(own[r])
	}
	for _, n := range readers {
		res.pages += min(n, 1)
		if n == 1 {
			res.lone++
		}
	}
	for r := range own {
		for range w.visits / w.days {
			p := law.draw(rnd)
			if _, has := slices.BinarySearch(own[r], int32(p)); has || readers[p] == 0 {
				continue
			}
			res.wanted++
			for least := 1; least < len(res.found); least++ {
				if readers[p] >= least {
					res.found[least]++
				}
			}
		}
	}
	return res
}

// law draws numbers from 0 to n-1, number i in proportion to 1/(i+1)^s.
type law struct{ upTo []float64 }

func newLaw(n int, s float64) law {
	l, sum := law{make([]float64, n)}, 0.0
	for i := range n {
		sum += math.Pow(float64(i+1), -s)
		l.upTo[i] = sum
	}
	return l
}

func (l law) draw(rnd *rand.Rand) int {
	i, _ := slices.BinarySearch(l.upTo, rnd.Float64()*l.upTo[len(l.upTo)-1])
	return min(i, len(l.upTo)-1)
}

func percent(part, of int) float64 { return 100 * float64(part) / float64(max(of, 1)) }

func report(out io.Writer, worlds []world) {
	fmt.Fprint(out, "# What min_holders would cost\n\nMade by `go run ./internal/lab/minholders > docs/experiments/min-holders.md`: a month of reading by Zipf's law, then a day on which every origin is gone.\n"+
		"*Findable*: of the visits to pages that somebody else has read in that month (and the visitor has not), those for which a page is announced at all when 1, 2 or 3 readers must have\n"+
		"it first. *Read by one*: of all pages that were read, those whose announcement 2 would hide. *Announcements*: messages a page and holder, blind ones counted.\n\n"+
		"| readers | pages there are | visits a day | exponent | findable at 1 | at 2 | at 3 | read by one | announcements at 1 | at 2 |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range worlds {
		r := w.run(1)
		reveals := r.holders - r.lone // who commits to a page that two have says so in the clear, too
		fmt.Fprintf(out, "| %d | %d | %d | %.1f | %.0f %% | %.0f %% | %.0f %% | %.0f %% | %.2f | %.2f |\n", w.readers, w.pages, w.visits/w.days, w.zipf,
			percent(r.found[1], r.wanted), percent(r.found[2], r.wanted), percent(r.found[3], r.wanted), percent(r.lone, r.pages),
			1.0, float64(r.holders+reveals)/float64(r.holders))
	}
}

func worlds() []world {
	var out []world
	for _, readers := range []int{30, 300, 3000} {
		for _, zipf := range []float64{0.7, 0.9, 1.1} {
			out = append(out, world{readers: readers, pages: 200_000, visits: 30 * 30, days: 30, zipf: zipf})
		}
	}
	return out
}

func main() { report(os.Stdout, worlds()) }
