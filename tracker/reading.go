package tracker

import (
	"crypto/hmac"
	"crypto/sha256"
	mrand "math/rand/v2"
	"net/netip"
	"slices"

	"nt/chunker"
	"nt/internal/crowd"
)

// Who asks for the same at the same time is named beside the holders (docs/adr/0038): a crowd finds itself at its tracker, a round
// trip earlier than at the seed, whose uplink has other things to carry. They are known by what they say in their sessions with
// the tracker, which prove their key and their address, so that nobody is sent to who did not ask for it.

// readingObjects is of how many versions of a page readers are looked for.
const readingObjects = 4

// named is a peer of an answer.
type named struct {
	Holder
	reading bool // it is fetching the object itself
}

// readers returns who is fetching what the chosen holders, or else the statements, speak of, no more than half of what was
// asked for, and as many of these holders as there is room for beside them. Who has everything gets none.
func (t *Tracker) readers(asker netip.AddrPort, chosen []Holder, statements LoggedList, req LookupRequest, rnd *mrand.Rand) ([]named, []Holder) {
	if req.Complete {
		return nil, nil
	}
	reading := t.reading(asker, chosen, versions(chosen, statements), min(crowd.Names, req.Want/2), rnd)
	return reading, fewer(chosen, req.Want-len(reading))
}

// fewer returns n of the chosen: the first, and of the peers that were reported, which come last, those that have a place among n
// (handOut). A crowd must not hide a peer either that somebody slandered (security row 10).
func fewer(chosen []Holder, n int) []Holder {
	if len(chosen) <= n {
		return chosen
	}
	demoted := 0
	for demoted < len(chosen) && chosen[len(chosen)-1-demoted].Failures >= demoteGroups {
		demoted++
	}
	reserved := min(demoted, max(1, n/demotedShare))
	return append(chosen[:n-reserved], chosen[len(chosen)-reserved:]...)
}

// beside puts those who are fetching between the holders, behind the first two: an answer may have no room for all, and one of
// the two may be there for fairness alone (demotedEarly).
func beside(holders []Holder, reading []named) []named {
	first := min(2, len(holders))
	all := make([]named, 0, len(holders)+len(reading))
	for _, h := range holders[:first] {
		all = append(all, named{Holder: h})
	}
	all = append(all, reading...)
	for _, h := range holders[first:] {
		all = append(all, named{Holder: h})
	}
	return all
}

// versions are the objects that holders have and statements are about, in that order.
func versions(chosen []Holder, statements LoggedList) (objects []chunker.ObjectID) {
	add := func(id chunker.ObjectID) {
		if len(objects) < readingObjects && !slices.Contains(objects, id) {
			objects = append(objects, id)
		}
	}
	for _, h := range chosen {
		add(h.Object)
	}
	for _, l := range statements {
		add(l.Statement.Object)
	}
	return objects
}

// reading returns up to k peers that are fetching one of the objects. An endpoint is named once, as a holder if it is one.
func (t *Tracker) reading(asker netip.AddrPort, chosen []Holder, objects []chunker.ObjectID, k int, rnd *mrand.Rand) (all []named) {
	if t.cfg.Rendezvous == nil {
		return nil
	}
	var seen map[netip.AddrPort]bool // made for the first: mostly there is none
	for _, object := range objects {
		for _, id := range t.cfg.Rendezvous.After(object, k-len(all), asker, rnd) {
			if seen == nil {
				seen = t.endpoints(chosen)
			}
			if addr, ok := t.sessionOf(id); ok && !seen[addr] {
				seen[addr] = true
				all = append(all, named{Holder{ID: id, Addr: addr, Object: object, Transports: readingBy}, true})
			}
		}
	}
	return all
}

func (t *Tracker) endpoints(holders []Holder) map[netip.AddrPort]bool {
	seen := make(map[netip.AddrPort]bool, len(holders))
	for _, h := range holders {
		seen[t.endpoint(h)] = true
	}
	return seen
}

// TopicOf is what peers call an object in their sessions with a tracker: its name, and where the tracker is private what only who knows
// its token can make of that. So who does not is named to nobody there.
func TopicOf(token string, object chunker.ObjectID) (topic [32]byte) {
	if token == "" {
		return object
	}
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("nt-after-v1\x00"))
	mac.Write(object[:])
	copy(topic[:], mac.Sum(nil))
	return topic
}

// readingBy is what a session with the tracker is kept by.
var readingBy = []string{"roulette"}
