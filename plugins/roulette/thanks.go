package roulette

import (
	"encoding/binary"
	"slices"

	"nt/transport"
)

// A seed cannot see who serves and who only takes: it gets nothing from anybody. So readers tell it, with what they ask for, who
// gave them how much that was proved. Who has had more of a seed than its trial and what it was thanked for is served as one of
// many: trialWeight times less than others, for what a seed gives to who serves nobody, or serves poison, is a chunk that
// nobody else gets (docs/adr/0033).
//
// Only good is told, so nobody can be slandered. Who praises itself by other keys needs another network group for them, and
// gains what everybody had without thanks.

// KeyTag is the beginning of a PeerID: enough to tell the neighbours of one seed apart.
type KeyTag [8]byte

func tagOf(id transport.PeerID) KeyTag { return KeyTag(id[:len(KeyTag{})]) }

// Thank says that a key gave the sender so many chunks, at least one, since it was last thanked.
type Thank struct {
	Key    KeyTag
	Chunks uint32
}

// MaxThanks bounds the thanks of one message, maxThanked what is remembered of who was thanked at one seed.
const (
	MaxThanks  = 4
	maxThanked = 64
)

// thanked is what one seed was told of a neighbour.
type thanked struct {
	id     NeighbourID
	chunks int
}

// thanks returns whom to thank at a seed: who gave at least as much again as it knows of, so that many chunks
// take few messages.
func (c *Core) thanks(seed *neighbour) (all []Thank) {
	for _, v := range c.neighbours {
		if len(all) == MaxThanks {
			break
		}
		if v.proved == 0 || v.seed || v.peer.ID.IsZero() {
			continue
		}
		k := slices.IndexFunc(seed.thanked, func(t thanked) bool { return t.id == v.id })
		if k < 0 {
			if len(seed.thanked) == maxThanked {
				continue
			}
			k = len(seed.thanked)
			seed.thanked = append(seed.thanked, thanked{id: v.id})
		}
		t := &seed.thanked[k]
		if more := v.proved - t.chunks; more >= t.chunks {
			all = append(all, Thank{tagOf(v.peer.ID), uint32(more)})
			t.chunks = v.proved
		}
	}
	return all
}

// receiveThanks notes, at a seed, what v says of others: of no more chunks in all than there are.
func (c *Core) receiveThanks(v *neighbour, all []Thank) {
	if !c.cfg.Seed {
		return
	}
	for _, t := range all {
		w := c.byTag[t.Key]
		if w == nil || transport.NetworkGroup(w.peer.Addr.Addr()) == transport.NetworkGroup(v.peer.Addr.Addr()) {
			continue
		}
		n := min(int(t.Chunks), c.n-v.praises)
		v.praises += n
		w.praised += n
		if e := c.members.of[w.id]; e != nil && n > 0 {
			e.thanked = true
		}
	}
}

// allowance is how many blocks a seed gives v as to anybody: its trial, and one for each that others had of it.
func (c *Core) allowance(v *neighbour) int {
	return (c.p.SeedTrial + v.praised) * c.blocks
}

// beyond is how many blocks more than its allowance v had; negative while some of that is left. Readers of tiny objects are gone
// before anybody could thank them: theirs has no end.
func (c *Core) beyond(v *neighbour) int {
	if c.n <= tinyChunks {
		return -1
	}
	return v.served - c.allowance(v)
}

// onTrial reports whether v had all of its allowance at a seed.
func (c *Core) onTrial(v *neighbour) bool { return c.cfg.Seed && c.beyond(v) >= 0 }

func appendThanks(b []byte, all []Thank) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(b, byte(len(all)))
	for _, t := range all {
		b = append(b, t.Key[:]...)
		b = binary.AppendUvarint(b, uint64(t.Chunks))
	}
	return b
}

func (r *reader) thanks(present bool) []Thank {
	if !present {
		return nil
	}
	all := make([]Thank, r.count(MaxThanks))
	for i := range all {
		copy(all[i].Key[:], r.bytes(len(all[i].Key)))
		all[i].Chunks = uint32(r.uvarint(maxChunkNo + 1))
		r.bad = r.bad || all[i].Chunks == 0
	}
	return all
}
