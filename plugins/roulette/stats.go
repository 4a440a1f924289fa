package roulette

// Stats counts what a core saw; for reports and tests.
type Stats struct {
	Duplicate int // blocks that were there already
	Unasked   int // blocks nobody asked for
	Bad       int // chunks that failed their proof
	Late      int // requests overdue
	GivenUp   int // requests released
	Dead      int // neighbours found dead
	Met       int // neighbours that answered
}

// Add adds o's counters to s.
func (s *Stats) Add(o Stats) {
	s.Duplicate += o.Duplicate
	s.Unasked += o.Unasked
	s.Bad += o.Bad
	s.Late += o.Late
	s.GivenUp += o.GivenUp
	s.Dead += o.Dead
	s.Met += o.Met
}

// Stats returns the counters.
func (c *Core) Stats() Stats { return c.stats }

// Glance is what a core is doing; for reports and tests.
type Glance struct {
	Chunks     int // that are there
	Open, Late int // blocks outstanding at neighbours, and overdue there
	Queued     int // requests of neighbours that wait
	Neighbours int
}

// Glance tells what the core is doing.
func (c *Core) Glance() Glance {
	g := Glance{Chunks: c.n - c.missing, Queued: c.queuedBlocks(), Neighbours: len(c.neighbours)}
	g.Open, g.Late = c.outstanding()
	return g
}
