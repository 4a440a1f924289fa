package wire

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"nt/transport"
)

// TestCountersAreWhole: whatever packets come, late or after many that were lost, each is taken for the one it is.
func TestCountersAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := replayWindow{newest: rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 1<<16), rapid.Uint32Range(math.MaxUint32-1<<16, math.MaxUint32)).Draw(t, "newest")}
		c := int64(w.newest) + rapid.Int64Range(-replayBits, math.MaxInt16).Draw(t, "after")
		if c < 0 || c > math.MaxUint32 {
			t.Skip("no counter")
		}
		if got := w.whole(uint16(c)); got != uint32(c) {
			t.Fatalf("%d after %d is taken for %d", c, w.newest, got)
		}
	})
}

// TestSessionsOfOneAddressDiffer: an accepter refuses a conv whose half another session from the address has.
func TestSessionsOfOneAddressDiffer(t *testing.T) {
	n, _, clock := tapped(t, 1, Config{})
	d, init := dialled(t, n, n.gate.token(source, clock.now()))
	n.receive(init, source)
	other, again := dialled(t, n, n.gate.token(source, clock.now()))
	m, err := parseInit(again)
	if err != nil {
		t.Fatal(err)
	}
	m.conv = d.conv + 1<<16 // another, of the same half
	n.receive(m.append(nil), source)
	if got := n.Stats().Sessions; got != 1 {
		t.Errorf("%d sessions, want the first alone", got)
	}
	n.receive(again, source)
	if got := n.Stats().Sessions; got != 2 || other.key == d.key {
		t.Errorf("%d sessions, want both", got)
	}
}

// TestConvsAreDrawnFree: a dialler draws only halves that no session with the address has.
func TestConvsAreDrawnFree(t *testing.T) {
	n, _, _ := tapped(t, 1, Config{})
	take := func(every int) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for half := 0; half < 1<<16; half += every {
			s := newSession(n, source, uint32(half), transport.PeerID{1})
			s.state = stateOpen
			n.sessions[s.key] = s
		}
	}
	take(4)
	for range 100 {
		if conv, err := n.freeConv(source); err == nil && conv%4 == 0 {
			t.Fatalf("conv %#x is taken", conv)
		}
	}
	take(1)
	if conv, err := n.freeConv(source); !errors.Is(err, ErrTooMany) {
		t.Errorf("conv %#x, %v of none that is free", conv, err)
	}
}
