package roulette

import (
	"testing"
	"time"
)

// A neighbour that lacks little and has been silent for a moment is taken to have left where readers leave without a
// word, and for one that waits where they say BYE, until it is heard again.
func TestWhoIsTakenToHaveLeft(t *testing.T) {
	c, seed := lacking(t, 128<<10, 64, 8, 8)
	v, other, third, fourth := c.neighbours[1], c.neighbours[2], c.neighbours[3], c.neighbours[4]
	for _, w := range c.neighbours[1:] {
		w.delivered = 2
		for i := range 10 { // more than LeaveGuard
			w.have.drop(i)
			w.count--
		}
	}
	at := c.now
	c.now += silentTime + time.Millisecond
	if c.nearlyDone(v) {
		t.Error("taken to have left before anybody left without a word")
	}
	c.departures.overdue(other, at)
	c.departures.overdue(other, at) // once a neighbour
	c.departures.overdue(seed, at)
	if !c.nearlyDone(v) || c.nearlyDone(seed) || c.departures.silent != 1 {
		t.Errorf("not taken to have left: %+v", c.departures)
	}
	for i := range 10 {
		c.markHave(fourth, i)
	}
	if c.nearlyDone(fourth) {
		t.Error("who has everything is taken to have left")
	}
	c.now = v.heard + askAgain
	if c.nearlyDone(v) {
		t.Error("never asked again")
	}
	c.Receive(c.now, v.id, &Status{})
	if c.nearlyDone(v) {
		t.Error("taken to have left though it was heard just now")
	}
	c.now += silentTime + time.Millisecond
	c.Receive(c.now, third.id, &Bye{})
	if c.nearlyDone(v) {
		t.Error("taken to have left where as many say BYE")
	}
	c.departures.overdue(fourth, c.now)
	c.Receive(c.now, other.id, &Status{})
	if c.departures.silent != 1 {
		t.Errorf("%d silent after one was heard again", c.departures.silent)
	}
}

// A seed sees how readers leave, and tells newcomers, who begin with what they are told.
func TestSeedTellsHowReadersLeave(t *testing.T) {
	w := newCrowd(t)
	welcome := func(i int) *Welcome {
		t.Helper()
		id := w.join(t, w.now, i)
		for range 100 {
			for _, a := range w.Actions() {
				if s, ok := a.(Send); ok && s.To == id {
					if m, ok := s.Msg.(*Welcome); ok {
						return m
					}
				}
			}
			w.Advance(w.now + 10*time.Millisecond)
		}
		t.Fatal("no WELCOME")
		return nil
	}
	if welcome(1).Silent {
		t.Error("silent before anybody left")
	}
	w.Advance(w.now + w.p.DeadAfter + time.Second)
	if welcome(2).Silent {
		t.Error("silent since one has nothing to say to the seed")
	}
	for range 2 {
		w.Receive(w.now, w.join(t, w.now, 3), &Request{Silent: true}) // one reader, twice
	}
	if !welcome(4).Silent {
		t.Error("not told of what a reader saw")
	}
	w.Receive(w.now, w.join(t, w.now, 3), &Bye{})
	if welcome(5).Silent {
		t.Error("silent where more said BYE")
	}
	for i := range 2 * departuresKept {
		w.Receive(w.now, w.join(t, w.now, 10+i), &Request{Silent: true})
	}
	if n := w.departures.silent + w.departures.byes; n > departuresKept {
		t.Errorf("%d departures are remembered", n)
	}

	c, mem := newLonely(t, 128<<10)
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
	c.Receive(50*time.Millisecond, c.neighbours[0].id, &Welcome{Header: &h, Silent: true})
	if !c.departures.inSilence() {
		t.Error("the reader was told in vain")
	}
	if c.departures.seenSilent() {
		t.Error("it tells what it was told")
	}
	c.departures.byes++
	if c.departures.inSilence() {
		t.Error("what it is told counts more than what it sees")
	}
}

// What was asked of who left without a word is asked of others before it would be given up else.
func TestWhatTheSilentWereAsked(t *testing.T) {
	for _, inSilence := range []bool{false, true} {
		c, _ := lacking(t, 128<<10, 64, 8, 8)
		c.departures.told = inSilence
		v := c.neighbours[1]
		c.lat.N, c.lat.Mean = 10, time.Second // others are slow
		v.lat = c.lat
		for i := range 10 {
			v.have.drop(i + 20)
			v.count--
		}
		c.ask(v, 5)
		c.now += lostAfter + time.Millisecond
		c.overdue()
		if gone := len(v.asked) == 0 && c.free.has(5); gone != inSilence {
			t.Errorf("in silence %t: given up %t", inSilence, gone)
		}
	}
}
