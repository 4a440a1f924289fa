package roulette

import (
	"testing"
	"time"
)

// TestDelays: what a delay is over the least, whatever the clocks' offset, and a least of
// long ago does not count.
func TestDelays(t *testing.T) {
	ms := func(n int) uint16 { return uint16(n * int(time.Millisecond/ClockUnit)) }
	for _, offset := range []uint16{0, 40_000, 65_530} {
		var d delays
		for i, c := range []struct {
			at   time.Duration
			late int // ms
			want int
		}{
			{0, 30, 0}, {time.Second, 50, 20}, {2 * time.Second, 10, 0}, {3 * time.Second, 70, 60},
			{63 * time.Second, 25, 15},  // the least of the span before
			{124 * time.Second, 30, 5},  // which is forgotten now, not the one after
			{185 * time.Second, 40, 10}, // and so on
		} {
			if got := d.over(c.at, offset+ms(c.late)); got != time.Duration(c.want)*time.Millisecond {
				t.Errorf("offset %d, message %d: %v over the least, want %d ms", offset, i, got, c.want)
			}
		}
	}
}

// yielding is a reader with eight neighbours, of which each gave yieldBlocks blocks and is asked for two more, and a queue of q before
// its downlink.
func yielding(t *testing.T, q time.Duration) *Core {
	t.Helper()
	c, _ := lacking(t, 128<<10, 64, 8, 8)
	c.now, c.lat.Mean = 10*time.Second, 100*time.Millisecond
	for i, v := range c.neighbours {
		v.delivered = yieldBlocks
		v.asked = []asked{{chunk: int32(2 * i), left: 1}, {chunk: int32(2*i + 1), left: 1}}
	}
	queues(c, c.now, q)
	return c
}

func queues(c *Core, now, q time.Duration) {
	for _, v := range c.neighbours {
		v.link.queue, v.link.queueAt = q, now
	}
}

// What is lost makes the window give way if something queues; a neighbour must have given something for each, and
// what is lost within an answer's time counts once.
func TestMissedMakesTheWindowGiveWay(t *testing.T) {
	queued := Tuned().QueueMost / 4
	c := yielding(t, queued)
	from := c.neighbours[1]
	c.Missed(c.now, from.id)
	first := c.yield.ceiling
	if c.yield.lostAt != c.now {
		t.Errorf("a loss at %v is noted at %v", c.now, c.yield.lostAt)
	}
	if first == 0 || first >= float64(c.byRate()) {
		t.Fatalf("the ceiling is %.1f blocks, the window %d", first, c.byRate())
	}
	queues(c, c.now+time.Second, queued)
	c.Missed(c.now+time.Second, from.id)
	if c.yield.ceiling != first {
		t.Error("a loss counts at a neighbour that gave nothing since the last")
	}
	c.Missed(c.now, c.neighbours[2].id)
	if c.yield.ceiling >= first {
		t.Error("a loss at another neighbour does not count")
	}
	second := c.yield.ceiling
	if c.Missed(c.now+c.lat.Mean/2, c.neighbours[3].id); c.yield.ceiling != second {
		t.Error("the window gave way twice within an answer's time")
	}
	if c.Missed(c.now, 12345); c.yield.ceiling != second {
		t.Error("a loss of nobody counts")
	}
	c = yielding(t, queued-time.Millisecond)
	if c.Missed(c.now, c.neighbours[1].id); c.yield.ceiling != 0 {
		t.Error("a loss without a queue counts")
	}
}

// After a loss a cut is of what is under way, else of the ceiling, and never below queue_least.
func TestCutBelowWhatIsUnderWay(t *testing.T) {
	c := yielding(t, 0)
	c.yield.ceiling = 13
	for _, v := range c.neighbours[5:] {
		v.asked = nil
	}
	under := c.places() + c.burst()
	if c.cutWindow(); c.yield.ceiling != 13*yieldFactor {
		t.Errorf("without a loss: a ceiling of %.1f, want %.1f", c.yield.ceiling, 13*yieldFactor)
	}
	c.yield = yield{ceiling: 100, lostAt: c.now}
	c.cutWindow()
	if want := max(float64(under)*yieldFactor, float64(c.p.QueueLeast)); c.yield.ceiling != want {
		t.Errorf("%d blocks under way: a ceiling of %.1f, want %.1f", under, c.yield.ceiling, want)
	}
	c.now += time.Second
	for range 9 {
		c.cutWindow()
		c.now += time.Second
	}
	if c.yield.ceiling != float64(c.p.QueueLeast) {
		t.Errorf("the ceiling ends at %.1f, want queue_least", c.yield.ceiling)
	}
}

// After a loss the window grows slowly for a while however empty the queue looks.
func TestWindowIsWaryAfterALoss(t *testing.T) {
	grown := func(since time.Duration) float64 {
		c := yielding(t, 0)
		c.yield.ceiling, c.yield.lostAt = 20, c.now-since
		c.giveWay(20)
		return c.yield.ceiling - 20
	}
	if soon, later := grown(yieldRest), grown(2*yieldRest); soon > 2*yieldWary || later < 20*yieldEmpty {
		t.Errorf("a window's worth of blocks brings %.1f blocks right after a loss and %.1f later", soon, later)
	}
}
