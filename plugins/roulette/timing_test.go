package roulette

import (
	"testing"
	"time"
)

// Each message is echoed once, by the first that goes back, and tells both ends how long the way is.
func TestEchoesAreToldOnce(t *testing.T) {
	const way = 30 * time.Millisecond
	var a, b link
	var first, answer, more, later Timing
	a.stamp(time.Second, &first)
	if first.echoes() {
		t.Errorf("%+v echoes what nobody sent", first)
	}
	b.receive(time.Second+way, &first)
	b.stamp(time.Second+2*way, &answer) // held for a while
	b.stamp(time.Second+2*way, &more)
	if answer.Echo != first.Sent || more.echoes() {
		t.Errorf("the first answer echoes %d, want %d; the second %+v, want nothing", answer.Echo, first.Sent, more)
	}
	if rtt, ok := a.receive(time.Second+3*way, &answer); !ok || rtt != 2*way {
		t.Errorf("the round trip took %v (%v), want %v", rtt, ok, 2*way)
	}
	if rtt, ok := a.receive(time.Second+3*way, &more); ok {
		t.Errorf("an answer that echoes nothing tells of %v", rtt)
	}
	a.stamp(time.Second+4*way, &first)
	if first.Echo != more.Sent {
		t.Errorf("%d is echoed, want the newest, %d", first.Echo, more.Sent)
	}
	b.receive(time.Second+5*way, &first)
	if b.stamp(time.Second+5*way, &later); later.Echo != first.Sent {
		t.Errorf("%d is echoed, want %d", later.Echo, first.Sent)
	}
}
