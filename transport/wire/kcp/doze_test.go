package kcp

import (
	"bytes"
	"testing"
	"time"
)

// TestDozingPipesWake: ends that have fallen asleep carry messages both ways, and KCP's clock runs
// as usual again. Ticks are given by hand.
func TestDozingPipesWake(t *testing.T) {
	heard := make(chan []byte, 8)
	var b *Pipe
	ready := make(chan struct{})
	a, b := pair(t, Config{}, func(m []byte) { heard <- bytes.Clone(m) }, func(m []byte) {
		<-ready
		b.Send(m)
	})
	close(ready)
	defer a.Close()
	for round := range 2 {
		for _, p := range []*Pipe{a, b} {
			for tries := 0; !p.conn.doze.asleep.Load(); tries++ {
				if tries > 1000 {
					t.Fatal("it does not fall asleep")
				}
				p.conn.doze.tick()
				time.Sleep(time.Millisecond) // acknowledgements may still be under way
			}
		}
		msg := bytes.Repeat([]byte{byte(round + 1)}, 40<<10)
		if err := a.Send(msg); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-heard:
			if !bytes.Equal(got, msg) {
				t.Errorf("round %d: %d bytes came back, or other ones", round, len(got))
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("round %d: nothing comes back", round)
		}
		for name, p := range map[string]*Pipe{"a": a, "b": b} {
			for deadline := time.Now().Add(20 * time.Second); p.conn.doze.asleep.Load(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) { // a timer of its own wakes it
					t.Fatalf("round %d: %s still dozes", round, name)
				}
			}
		}
	}
}
