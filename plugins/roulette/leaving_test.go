package roulette

import (
	"testing"
	"time"
)

// A neighbour that lacks little and has been silent for a moment is taken to have left where readers leave without a
// word, and for one that waits where they say BYE, until it is heard again.
func TestWhoIsTakenToHaveLeft(t *testing.T) {
	c, seed := lacking(t, 64, 8, 8)
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
