package tracker

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"nt/internal/resource"
)

// keyAges remembers since when this tracker has heard of readers' keys: who needs many
// keys during an outage must have had them before it (docs/design.md section 7). It is a table of
// 1 MiB, never more: buckets of a few slots, in which those not heard of for a month go
// first, then the youngest, so that a flood of new keys does not make old ones forgotten.
// It is lost with the process; statements that are kept over a restart say when they were logged.
type keyAges struct {
	seed  maphash.Seed
	slots [ageBuckets * ageSlots]atomic.Uint64 // 24 bits of the key's hash, hours of first and last sight
}

const (
	ageBuckets = 1 << 15
	ageSlots   = 4
	ageIdle    = 30 * 24 // hours
	hourBits   = 20      // 119 years
	hourMask   = 1<<hourBits - 1
)

func newKeyAges() *keyAges { return &keyAges{seed: maphash.MakeSeed()} }

// bucket returns the slots a key may be in, and its tag in place.
func (a *keyAges) bucket(key resource.WitnessKey) ([]atomic.Uint64, uint64) {
	sum := maphash.Comparable(a.seed, key)
	first := int(sum%ageBuckets) * ageSlots
	return a.slots[first : first+ageSlots], sum >> (2 * hourBits) << (2 * hourBits)
}

func find(slots []atomic.Uint64, tag uint64) (*atomic.Uint64, uint64) {
	for i := range slots {
		if v := slots[i].Load(); v != 0 && v>>(2*hourBits)<<(2*hourBits) == tag {
			return &slots[i], v
		}
	}
	return nil, 0
}

// hear notes that the key's owner said something.
func (a *keyAges) hear(now time.Time, key resource.WitnessKey) {
	hour := uint64(now.Unix()/3600) & hourMask
	slots, tag := a.bucket(key)
	if slot, v := find(slots, tag); slot != nil {
		if v&hourMask != hour {
			slot.CompareAndSwap(v, v&^hourMask|hour)
		}
		return
	}
	pick := &slots[0]
	for i := range slots[1:] {
		if worth(slots[i+1].Load(), hour) < worth(pick.Load(), hour) {
			pick = &slots[i+1]
		}
	}
	pick.Store(tag | hour<<hourBits | hour)
}

// worth is how many hours of age would be lost with a slot.
func worth(v, hour uint64) uint64 {
	if v == 0 || hour-v&hourMask > ageIdle {
		return 0
	}
	return hour - v>>hourBits&hourMask + 1
}

// since returns when the key was first heard of, in Unix seconds and at most an hour too
// late; 0 if that is not known.
func (a *keyAges) since(key resource.WitnessKey) int64 {
	slots, tag := a.bucket(key)
	slot, v := find(slots, tag)
	if slot == nil {
		return 0
	}
	return int64(v>>hourBits&hourMask+1) * 3600
}

// keySince returns since when a kept statement's witness is known: by the table, or by the
// statement itself, if it came from the witness.
func (t *Tracker) keySince(k Kept) int64 {
	since := t.ages.since(k.Statement.Witness)
	if !k.Relayed && (since == 0 || k.LoggedAt < since) {
		since = k.LoggedAt
	}
	return since
}
