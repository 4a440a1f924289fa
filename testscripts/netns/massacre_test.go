package netns

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

var massacres = flag.Int("massacres", 1, "repeats of the test that kills nine nodes of ten")

// Forty nodes at 800 kbit/s each way: four hold a page of 640 KiB, 36 read it. 36 of the forty,
// three of the holders among them, are killed without a goodbye at random moments of the
// first five seconds, while one reader alone would need 6.6 s for the bytes. One full copy is
// left, and every reader that stays gets the page.
func TestKillingNineOfTenNodesLeavesTheRestServed(t *testing.T) {
	for i := range *massacres {
		t.Run(fmt.Sprint("seed ", i), func(t *testing.T) { massacre(t, uint64(i)) })
	}
}

func massacre(t *testing.T, seed uint64) {
	const nodes, holders, stay = 40, 4, 3
	l := newPublic(t)
	l.flat(nodes)
	w := startTown(l, hubIP, 640<<10)
	var all []*program
	var boxes []string
	for i := range holders {
		boxes = append(boxes, flatBox(i))
		all = append(all, w.peer(flatBox(i), flatIP(i)+":4001"))
	}
	w.read(boxes...)
	w.vouched()
	w.holders(holders)
	w.origin.kill()
	l.slowFlat(0, nodes, "800kbit")

	for i := holders; i < nodes; i++ {
		boxes = append(boxes, flatBox(i))
		all = append(all, w.fetch(flatBox(i), "--progress", "json"))
	}
	start := time.Now()
	for _, k := range killings(rand.New(rand.NewPCG(seed, 1)), nodes, holders, stay) {
		time.Sleep(time.Until(start.Add(k.at)))
		all[k.victim].kill()
		if _, err := os.Stat(w.out(boxes[k.victim])); err == nil {
			t.Errorf("%s was done before it was killed", boxes[k.victim])
		}
	}
	t.Logf("%d of %d nodes were killed within %.1f s", nodes-1-stay, nodes, time.Since(start).Seconds())
	for i := nodes - stay; i < nodes; i++ {
		if _, err := os.Stat(w.out(boxes[i])); err == nil {
			t.Errorf("%s was done before the last was killed: the test proves nothing", boxes[i])
		}
	}
	for i := nodes - stay; i < nodes; i++ {
		var r report
		all[i].report(&r)
		sameFile(t, w.out(boxes[i]), w.body)
		t.Logf("%s: %.1f s, %d bytes from the holder that stayed, from %d peers, by transport %v", boxes[i], r.Seconds, r.from(flatIP(holders-1)), len(r.ByPeer), r.ByTransport)
	}
}

// killing is the end of one node.
type killing struct {
	at     time.Duration
	victim int
}

// killings plans the end of all but the last holder and the last stay readers.
func killings(rng *rand.Rand, nodes, holders, stay int) (all []killing) {
	for i := range nodes - stay {
		if i != holders-1 {
			all = append(all, killing{time.Duration(rng.Int64N(int64(5 * time.Second))), i})
		}
	}
	slices.SortFunc(all, func(a, b killing) int { return cmp.Compare(a.at, b.at) })
	return all
}
