package memory

import (
	"math"
	"math/rand/v2"
	"sync"

	"nt/tracker"
)

const (
	noRow = uint32(math.MaxUint32)
	// evictDraws is how many keys are drawn to find the one to give up: whoever
	// fills the tracker owns nearly all of them.
	evictDraws = 8
	// foreignDraws is how many other shards are looked at when the own one has
	// nothing to give up.
	foreignDraws = 8
	// rowDraws is how often a row is drawn until it is one in use.
	rowDraws = 32
)

// core is what every shard has, whatever it keeps: a lock, a share of the
// budget, and the books about who uses how much of it.
type core struct {
	mu  sync.Mutex
	rnd *rand.Rand

	budget     *budget
	all        []keeper // the store's shards
	groupLimit int64    // bytes
	used       map[tracker.Group]int64
	bytes      int64
	evicted    int64
}

// keeper is a shard as the rule of eviction sees it: things in numbered rows, URLs or
// torrents, each with announcers. Callers hold the shard's lock.
type keeper interface {
	books() *core
	draw() uint32            // any row in use, one of those that go first if there are any; noRow if it finds none
	size(row uint32) int     // how many announce it
	burden(row uint32) int64 // how much the least of its groups uses
	forget(row uint32)
}

func (c *core) books() *core { return c }

// introduce makes the shards of one store known to each other.
func introduce[K keeper](shards []K) {
	all := make([]keeper, len(shards))
	for i, k := range shards {
		all[i] = k
	}
	for _, k := range all {
		k.books().all = all
	}
}

// makeRoom evicts until need bytes are free, sparing the row keep: from this shard,
// and where that has none to give up from another. It returns false rather than evict
// what is of a group that uses less than the asking group does: a flood
// only pushes out itself (security row 9).
func makeRoom(k keeper, need int64, asking tracker.Group, keep uint32) bool {
	weight := k.books().weight(asking)
	for !k.books().budget.fits(need) {
		if !giveUp(k, weight, keep) && !othersGiveUp(k, weight) {
			return false
		}
	}
	return true
}

// giveUp evicts one thing whose groups use at least so much.
func giveUp(k keeper, weight int64, keep uint32) bool {
	row, burden := heaviest(k, keep)
	if row == noRow || burden < weight {
		return false
	}
	k.forget(row)
	k.books().evicted++
	return true
}

// othersGiveUp evicts from another shard. It never waits for one: two shards
// that waited for each other would wait for ever.
func othersGiveUp(k keeper, weight int64) bool {
	c := k.books()
	for range min(foreignDraws, len(c.all)) {
		o := c.all[c.rnd.IntN(len(c.all))]
		if o == k || !o.books().mu.TryLock() {
			continue
		}
		done := giveUp(o, weight, noRow)
		o.books().mu.Unlock()
		if done {
			return true
		}
	}
	return false
}

// heaviest draws some rows and returns the one with the fewest announcers, among
// equals the one whose groups use most of the tracker. Nobody and one are equal.
func heaviest(k keeper, keep uint32) (row uint32, burden int64) {
	row, burden = noRow, -1
	least := math.MaxInt
	for range evictDraws {
		r := k.draw()
		if r == noRow || r == keep {
			continue
		}
		if n, b := max(k.size(r), 1), k.burden(r); n < least || n == least && b > burden {
			row, burden, least = r, b, n
		}
	}
	return row, burden
}

// weight says how much of the tracker a group takes. The wide group counts too,
// for a flood spreads over all of its network, but less: its neighbours there
// are not to blame.
func (c *core) weight(g tracker.Group) int64 { return c.used[g] + c.used[g.Widen()]/16 }

func (c *core) book(bytes int64) {
	c.bytes += bytes
	c.budget.used.Add(bytes)
}

// charge books memory, on a network group and the wide one around it if there is one.
func (c *core) charge(g tracker.Group, bytes int64) {
	c.book(bytes)
	if g == 0 {
		return
	}
	for _, g := range [...]tracker.Group{g, g.Widen()} {
		if c.used[g] += bytes; c.used[g] == 0 {
			delete(c.used, g)
		}
	}
}
