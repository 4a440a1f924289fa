package tracker

import (
	"encoding/binary"
	"testing"
	"time"

	"nt/internal/resource"
)

func ageKey(n int) (k resource.WitnessKey) {
	binary.BigEndian.PutUint64(k[:], uint64(n)+1)
	return k
}

func TestKeyAges(t *testing.T) {
	a, start := newKeyAges(), time.Unix(1_800_000_000, 0)
	if a.since(ageKey(1)) != 0 {
		t.Error("a key that was never heard of has an age")
	}
	a.hear(start, ageKey(1))
	for h := range 100 {
		a.hear(start.Add(time.Duration(h)*time.Hour), ageKey(1))
	}
	if got := a.since(ageKey(1)); got < start.Unix() || got > start.Unix()+3600 {
		t.Errorf("since %d, first heard of at %d", got, start.Unix())
	}
}

// Twenty times as many new keys as there is room do not make old ones forgotten, as long as
// those speak now and then.
func TestKeyAgesUnderAFlood(t *testing.T) {
	a, start := newKeyAges(), time.Unix(1_800_000_000, 0)
	const old = 1000
	for n := range old {
		a.hear(start, ageKey(n))
	}
	later := start.Add(48 * time.Hour)
	for n := range 20 * len(a.slots) {
		a.hear(later, ageKey(old+n))
	}
	kept := 0
	for n := range old {
		if got := a.since(ageKey(n)); got != 0 && got <= start.Unix()+3600 {
			kept++
		}
	}
	if kept < old-5 { // five old keys in a bucket of four push one another out
		t.Errorf("%d of %d old keys are left", kept, old)
	}
	month := later.Add(31 * 24 * time.Hour)
	for n := range 8 * len(a.slots) { // one for each place would leave one bucket of fifty without any
		a.hear(month, ageKey(n+1<<30))
	}
	if got := a.since(ageKey(0)); got != 0 && got <= start.Unix()+3600 {
		t.Error("a key that is silent for a month keeps its place")
	}
}

func TestLookupSaysSinceWhenTheKeyIsKnown(t *testing.T) {
	tr := &Tracker{ages: newKeyAges()}
	k := Kept{LoggedAt: 1_800_000_000}
	k.Statement.Witness = ageKey(7)
	if got := tr.keySince(k); got != k.LoggedAt {
		t.Errorf("of the statement alone: %d", got)
	}
	k.Relayed = true
	if got := tr.keySince(k); got != 0 {
		t.Errorf("who is only quoted has an age: %d", got)
	}
	tr.ages.hear(time.Unix(1_700_000_000, 0), ageKey(7))
	if got := tr.keySince(k); got < 1_700_000_000 || got > 1_700_003_600 {
		t.Errorf("%d", got)
	}
}
