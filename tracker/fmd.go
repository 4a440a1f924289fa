package tracker

import (
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"sync"

	"nt/chunker"
)

// FMD is the header of an object's FileMetaData in its wire form; JSON has it in hexadecimal. It
// names the object by its hash, so it may come from anybody. A reader that has it can ask for
// chunks with its first words to a peer.
type FMD []byte

// MarshalText writes hexadecimal digits.
func (f FMD) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(f)), nil }

// UnmarshalText reads the header's digits, no more and no fewer.
func (f *FMD) UnmarshalText(b []byte) error {
	if len(b) != 2*chunker.HeaderSize {
		return fmt.Errorf("an FMD header has %d hexadecimal digits, not %d", 2*chunker.HeaderSize, len(b))
	}
	out := make([]byte, chunker.HeaderSize)
	if _, err := hex.Decode(out, b); err != nil {
		return fmt.Errorf("FMD header: %w", err)
	}
	*f = out
	return nil
}

// FMDs is the headers of a result's objects.
type FMDs []FMD

// UnmarshalJSON reads at most as many as there may be statements.
func (l *FMDs) UnmarshalJSON(b []byte) error {
	got, err := decodeList[FMD](b, MaxStatements, "fmds")
	*l = got
	return err
}

// fmdTable remembers FMD headers in memory that is allocated once: buckets of a few places, in which
// those that nobody asked for since they came go first. It is a convenience: who finds none
// asks a peer.
type fmdTable struct {
	seed   maphash.Seed
	mu     sync.Mutex
	places []fmdPlace
	turn   int
}

type fmdPlace struct {
	id     chunker.ObjectID
	header chunker.Header
	set    bool
	asked  bool
}

const (
	fmdBuckets = 1 << 11
	fmdPlaces  = 8
)

func newFMDTable() *fmdTable { return &fmdTable{seed: maphash.MakeSeed()} }

func (t *fmdTable) bucket(id chunker.ObjectID) []fmdPlace {
	if t.places == nil { // 2.5 MiB, for who needs them
		t.places = make([]fmdPlace, fmdBuckets*fmdPlaces)
	}
	first := int(maphash.Comparable(t.seed, id)%fmdBuckets) * fmdPlaces
	return t.places[first : first+fmdPlaces]
}

// put remembers a header, which has been checked to be the object's.
func (t *fmdTable) put(id chunker.ObjectID, h chunker.Header) {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := t.bucket(id)
	t.turn++
	free := -1
	for i := range places {
		p := &places[(i+t.turn)%len(places)]
		if p.set && p.id == id {
			return
		}
		if !p.set || free < 0 && !p.asked {
			free = (i + t.turn) % len(places)
		}
	}
	if free < 0 { // all were asked for: who is asked for again stays next time
		for i := range places {
			places[i].asked = false
		}
		free = t.turn % len(places)
	}
	places[free] = fmdPlace{id: id, header: h, set: true}
}

// get returns the header of an object.
func (t *fmdTable) get(id chunker.ObjectID) (chunker.Header, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.places == nil {
		return chunker.Header{}, false
	}
	for i, places := 0, t.bucket(id); i < len(places); i++ {
		if p := &places[i]; p.set && p.id == id {
			p.asked = true
			return p.header, true
		}
	}
	return chunker.Header{}, false
}
