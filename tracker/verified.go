package tracker

import (
	"hash/maphash"
	"sync/atomic"

	"nt/chunker"
	"nt/internal/resource"
)

// verified remembers statements whose signature was checked, so that a
// re-announcement costs a hash and not a signature check. It is a table of keyed
// hashes where newer entries overwrite older ones: 512 KiB, never more.
type verified struct {
	seed  maphash.Seed
	table [1 << 16]atomic.Uint64
}

// verify is st.Verify for a statement that may have been seen before.
func (v *verified) verify(st resource.Statement) error {
	sum := v.sum(st)
	slot := &v.table[sum%uint64(len(v.table))]
	if sum != 0 && slot.Load() == sum {
		return nil
	}
	if err := st.Verify(); err != nil {
		return err
	}
	slot.Store(sum)
	return nil
}

// sum hashes every field with a seed that nobody outside knows. The header's
// fields are added up because a map has no order.
func (v *verified) sum(st resource.Statement) uint64 {
	sum := maphash.Comparable(v.seed, struct {
		key       resource.Key
		object    chunker.ObjectID
		size      int64
		status    int
		observed  int64
		place     resource.Place
		witness   resource.WitnessKey
		signature resource.Signature
	}{st.Key, st.Object, st.Size, st.Status, st.ObservedAt, st.Place, st.Witness, st.Signature})
	var h maphash.Hash
	h.SetSeed(v.seed)
	for name, values := range st.Header {
		h.Reset()
		h.WriteString(name)
		for _, value := range values {
			h.WriteByte(0) // no header value holds it: Verify refuses control characters
			h.WriteString(value)
		}
		sum += h.Sum64()
	}
	return sum
}
