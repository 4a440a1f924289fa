package roulette

import (
	"slices"
	"time"

	"nt/transport"
)

// A seed cannot see who serves and who only takes: it gets nothing from anybody. So readers tell it, with what they ask for, who
// gave them something that was proved. Who was thanked is served before those whom nobody thanked, once these got SeedTrial
// chunks: what a seed gives to who serves nobody, or serves poison, is a chunk that nobody else gets.
//
// Only good is told, so nobody can be slandered. Who praises itself by other keys needs another network group for them, and
// gains what everybody had without thanks.

// KeyTag is the beginning of a PeerID: enough to tell the neighbours of one seed apart.
type KeyTag [8]byte

func tagOf(id transport.PeerID) KeyTag { return KeyTag(id[:len(KeyTag{})]) }

// MaxThanks bounds the thanks of one message, maxThanked what is remembered of who was thanked at one seed.
const (
	MaxThanks  = 4
	maxThanked = 64
)

// unthanked is how many chunks more than others a reader seems to have got that nobody thanked, and trialWait how long a request may
// wait for that reason: an honest reader among many who only take may have nobody to speak for it.
const (
	unthanked = 16
	trialWait = 2 * time.Second
)

// thanks returns whom to thank at a seed that does not know of it yet.
func (c *Core) thanks(seed *neighbour) (all []KeyTag) {
	for _, v := range c.neighbours {
		if len(all) == MaxThanks || len(seed.thanked) == maxThanked {
			break
		}
		if v.gave && !v.seed && !v.peer.ID.IsZero() && !slices.Contains(seed.thanked, v.id) {
			seed.thanked = append(seed.thanked, v.id)
			all = append(all, tagOf(v.peer.ID))
		}
	}
	return all
}

// receiveThanks notes, at a seed, what v says of others.
func (c *Core) receiveThanks(v *neighbour, tags []KeyTag) {
	if !c.cfg.Seed {
		return
	}
	for _, t := range tags {
		if w := c.byTag[t]; w != nil && transport.NetworkGroup(w.peer.Addr.Addr()) != transport.NetworkGroup(v.peer.Addr.Addr()) {
			w.praised = true
		}
	}
}

// onTrial reports whether v is to prove first that it serves others, before its request of that time is served. Readers of tiny
// objects are gone before anybody could thank them.
func (c *Core) onTrial(v *neighbour, at time.Duration) bool {
	return c.cfg.Seed && c.n > tinyChunks && !v.praised && v.served >= c.p.SeedTrial*c.blocks && c.now-at < trialWait
}

func appendThanks(b []byte, tags []KeyTag) []byte {
	if len(tags) == 0 {
		return b
	}
	b = append(b, byte(len(tags)))
	for _, t := range tags {
		b = append(b, t[:]...)
	}
	return b
}

func (r *reader) thanks(present bool) []KeyTag {
	if !present {
		return nil
	}
	tags := make([]KeyTag, r.count(MaxThanks))
	for i := range tags {
		copy(tags[i][:], r.bytes(len(tags[i])))
	}
	return tags
}
