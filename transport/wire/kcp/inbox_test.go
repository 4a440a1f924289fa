package kcp

import (
	"sync"
	"testing"
)

// TestInboxKeepsOrderAndItsLimit: what is popped is what was added, in that order; what finds no
// room is refused, and there is room again once the reader took what waited.
func TestInboxKeepsOrderAndItsLimit(t *testing.T) {
	b := newInbox(3)
	for i := range 3 {
		if !b.add(&packet{n: i}) {
			t.Fatalf("packet %d refused", i)
		}
	}
	if b.add(&packet{n: 3}) {
		t.Fatal("a fourth packet found room for three")
	}
	if p := b.pop(); p == nil || p.n != 0 {
		t.Fatalf("popped %v first", p)
	}
	if !b.add(&packet{n: 3}) {
		t.Fatal("no room after all that waited was taken")
	}
	for want := 1; want <= 3; want++ {
		if b.empty() {
			t.Fatalf("empty before packet %d", want)
		}
		if p := b.pop(); p == nil || p.n != want {
			t.Fatalf("popped %v, want packet %d", p, want)
		}
	}
	if p := b.pop(); p != nil || !b.empty() {
		t.Fatalf("popped %v of nothing", p)
	}
}

// TestInboxWakesItsReader: a reader that waits only while pop finds nothing hears of every packet.
func TestInboxWakesItsReader(t *testing.T) {
	const packets = 10_000
	b := newInbox(packets)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range packets {
			b.add(&packet{n: i})
		}
	})
	for got := 0; got < packets; {
		p := b.pop()
		if p == nil {
			<-b.some
			continue
		}
		if p.n != got {
			t.Fatalf("packet %d came as number %d", p.n, got)
		}
		got++
	}
	wg.Wait()
}
