package main

import "testing"

func TestPlanIsZipfWithOneHotURL(t *testing.T) {
	p := newPlan(config{sources: 10, peers: 10_000, urls: 1000, hot: 0.3, seed: 1})
	count := make([]int, 1000)
	for i, peer := range p.peers {
		count[peer.hash]++
		if i < p.first[peer.source] || i >= p.first[peer.source+1] {
			t.Fatalf("peer %d is not with its source", i)
		}
	}
	if count[0] < 2700 || count[0] > 3300 || count[1] < 2*count[4] || len(p.peers) != 10_000 {
		t.Errorf("hot %d, then %d %d %d %d", count[0], count[1], count[2], count[3], count[4])
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for us := range int64(1000) {
		h.add(us + 1)
	}
	if p50, p99 := h.at(0.5), h.at(0.99); p50 < 500 || p50 > 570 || p99 < 990 || p99 > 1023+64 {
		t.Errorf("p50 %d, p99 %d", p50, p99)
	}
}
