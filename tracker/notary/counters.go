package notary

import "sync/atomic"

// counters count what became of offered URLs, by name:
// offered = forbidden before looking + known + dropped + queued, and
// fetched ends as stated, not_kept, differed, not_shareable, forbidden or failed.
type counters struct {
	n map[string]*atomic.Int64 // fixed after newCounters
}

func newCounters() *counters {
	c := &counters{n: make(map[string]*atomic.Int64)}
	for _, name := range []string{
		"offered", "forbidden", "known", "dropped", "queued", "fetched", "stated", "not_kept", "differed", "not_shareable", "failed",
	} {
		c.n[name] = new(atomic.Int64)
	}
	return c
}

func (c *counters) add(name string) { c.n[name].Add(1) }

func (c *counters) all() map[string]int64 {
	out := make(map[string]int64, len(c.n))
	for name, n := range c.n {
		out[name] = n.Load()
	}
	return out
}
