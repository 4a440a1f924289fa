package roulette

import (
	"testing"
	"time"
)

// What a reliable wire adds of its own (acknowledgements, repeats) stands in the
// same modem queue: it delays the next block as much as our own bytes do.
func TestUplinkCountsWhatTheWireAdds(t *testing.T) {
	p := Tuned()
	p.KnownRate = 100_000
	plain, burdened := NewUplink(&p, 80), NewUplink(&p, 80)
	var l link
	for _, u := range []*Uplink{plain, burdened} {
		u.sent(0, &l, 1, 920) // 1,000 bytes: 10 ms of modem
	}
	burdened.Left(0, 1000) // nothing but what was accounted for
	if plain.readyAt() != burdened.readyAt() {
		t.Fatalf("ready at %v and %v", plain.readyAt(), burdened.readyAt())
	}
	burdened.Left(0, 1500) // 500 bytes of the wire's own: 5 ms more
	if got := burdened.readyAt() - plain.readyAt(); got < 4900*time.Microsecond || got > 5100*time.Microsecond {
		t.Errorf("500 bytes more delay the next block by %v, want 5 ms", got)
	}
	burdened.Left(0, 1200) // an older figure takes nothing back
	if got := burdened.readyAt() - plain.readyAt(); got < 4900*time.Microsecond {
		t.Errorf("the delay shrank to %v", got)
	}
}
