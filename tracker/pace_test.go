package tracker_test

import (
	"testing"
	"time"

	"nt/tracker"
	"nt/tracker/storetest"
)

func TestRow14_PaceStretchesWithTheCrowdAndRelaxes(t *testing.T) {
	holders := int64(0)
	p := tracker.NewPace(tracker.PaceConfig{Base: 30 * time.Minute, Most: 2 * time.Hour, PerSecond: 100, Holders: func(time.Time) int64 { return holders }})
	now := storetest.Start()
	second := func(n int) time.Duration {
		now = now.Add(time.Second)
		return p.Count(now, n)
	}
	var got time.Duration
	for range 20 {
		got = second(50)
	}
	if got != 30*time.Minute {
		t.Errorf("a tracker at ease says %v", got)
	}
	for range 12 {
		got = second(250)
	}
	if got < 70*time.Minute || got > 80*time.Minute {
		t.Errorf("at 2.5 times what is wanted: %v", got)
	}
	for range 12 {
		got = second(2500)
	}
	if got != 2*time.Hour {
		t.Errorf("at 25 times what is wanted: %v, want the most", got)
	}
	for range 60 {
		got = second(1)
	}
	if got != 30*time.Minute {
		t.Errorf("a minute after the rush: %v", got)
	}
	holders = 180_000 // in half of 30 minutes 200 a second, if nothing is stretched
	for range 12 {
		got = second(1)
	}
	if got != time.Hour {
		t.Errorf("with 180,000 holders: %v", got)
	}
	now = now.Add(-time.Hour)
	if got = second(1); got <= 0 || got > 2*time.Hour {
		t.Errorf("after the clock went back: %v", got)
	}
}
