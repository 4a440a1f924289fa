package roulette

import (
	"testing"
	"time"
)

// A busy seed forgets what its readers have given up: what it serves them is an answer that they still take.
func TestSeedForgetsWhatReadersGaveUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		size  int64
		every time.Duration // a reader gives up a request and makes another one
		most  int           // of one reader wait
	}{
		{"chunks of one block", 128 << 10, longForgotten + time.Second/4, lastAsks},
		{"chunks of four", 10 << 20, maxPatience + time.Second/4, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, ids := stuckCrowd(t, test.size)
			v := w.byID[ids[0]]
			now := 2 * time.Second
			const all = 32 // requests, one after the other
			for k := range all {
				for end := now + test.every; now < end; now += test.every / 9 { // all are there
					for _, id := range ids {
						w.Receive(now, id, &Request{})
					}
				}
				w.Receive(now, v.id, &Request{Asks: []Ask{{Chunk: uint32(k), Any: true}}})
				if n := waiting(v); n > test.most {
					t.Fatalf("%d requests of one reader wait, want at most %d", n, test.most)
				}
			}
			if last := v.queued[len(v.queued)-1]; last.Chunk != all-1 {
				t.Errorf("the last request is for chunk %d, want the last that was made", last.Chunk)
			}
		})
	}
}

// As many requests as a reader makes of a busy seed at once wait there, however long they take, while they are not given up.
func TestSeedKeepsWhatReadersWaitFor(t *testing.T) {
	w, ids := stuckCrowd(t, 10<<20)
	id := ids[0]
	for k := range lastAsks {
		w.Receive(2*time.Second+time.Duration(k)*maxPatience/lastAsks, id, &Request{Asks: []Ask{{Chunk: uint32(k), Any: true}}})
	}
	if n := waiting(w.byID[id]); n != lastAsks {
		t.Errorf("%d requests wait, want %d", n, lastAsks)
	}
}

// stuckCrowd returns a seed that its readers keep busy, and from the second second on nothing leaves it.
func stuckCrowd(t *testing.T, size int64) (w *crowd, ids []NeighbourID) {
	w = newCrowdOf(t, size)
	for i := range w.p.SeedCrowd + 1 {
		ids = append(ids, w.join(t, 0, i+1))
	}
	w.until(time.Second)
	w.cfg.Uplink.Left(time.Second, 1e9)
	return w, ids
}

// waiting counts the requests of v that wait, without what is pushed to it and what is begun.
func waiting(v *neighbour) (n int) {
	for _, q := range v.queued {
		if q.counts && !q.started {
			n++
		}
	}
	return n
}
