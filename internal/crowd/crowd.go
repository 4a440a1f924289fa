// Package crowd owns the memory of who is after the same thing at this moment, and the choice of whom to name to who comes next:
// what a tracker does for those who ask it within the same seconds. It knows neither what a topic stands for nor how anybody is
// reached; time and chance are arguments. Safe for one goroutine.
package crowd

import (
	"container/list"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

const (
	// Who has come within Fresh, or within freshPart of how long members stay if that is longer, is named before all others: it has
	// something by the time it is asked, and will be there for longest (docs/roulette.md, R1).
	Fresh     = 600 * time.Millisecond
	freshPart = 0.15
	// usualStay is how long members stay until one has left.
	usualStay = 2 * time.Second
	// stayWeight is how much of what is known of it each that leaves changes.
	stayWeight = 0.1
	// TTL is how long somebody is remembered who says no more.
	TTL = 25 * time.Second
	// SayEvery is how often a member says that it still is one: a word may be lost, and it is forgotten after TTL.
	SayEvery = 10 * time.Second
	// Names is how many of a topic are named to who asks.
	Names = 8
	// PerTopic is how many of one topic are remembered. Who comes next takes the place of the first of the network group that has
	// the most, lest one owner of many addresses pushes all others out.
	PerTopic = 256
	// PerMember is how many topics one member may be after.
	PerMember = 128
)

// Topic is what members have in common: an object's name, here opaque.
type Topic [32]byte

// Table remembers the members of many topics.
type Table[T comparable] struct {
	most   int // members, over all topics
	count  int
	each   map[T]int               // topics of a member
	topics map[Topic]*list.Element // of *topic[T]
	order  *list.List              // the topic that nobody joined for longest first
}

type topic[T comparable] struct {
	name    Topic
	members []member[T] // in the order of coming; never empty
	stay    time.Duration
}

type member[T comparable] struct {
	who   T
	group netip.Prefix
	since time.Time
	heard time.Time
}

// New returns a table for so many members.
func New[T comparable](most int) *Table[T] {
	return &Table[T]{most: max(most, 1), each: map[T]int{}, topics: map[Topic]*list.Element{}, order: list.New()}
}

// Len is how many are remembered.
func (t *Table[T]) Len() int { return t.count }

func (t *Table[T]) of(name Topic) *topic[T] {
	if e := t.topics[name]; e != nil {
		return e.Value.(*topic[T])
	}
	return nil
}

// Join notes that who, of a network group, is after a topic, or still is. Of one topic PerTopic are kept; where all
// topics together are too many, the topic that nobody joined for longest is forgotten. Who is after PerMember topics is
// noted for no other.
func (t *Table[T]) Join(now time.Time, name Topic, who T, group netip.Prefix) {
	x := t.of(name)
	if t.each[who] >= PerMember && (x == nil || x.index(who) < 0) {
		return
	}
	if x == nil {
		x = &topic[T]{name: name, stay: usualStay}
		t.topics[name] = t.order.PushBack(x)
	}
	t.order.MoveToBack(t.topics[name])
	if i := x.index(who); i >= 0 {
		x.members[i].heard = now
		return
	}
	x.members = append(x.members, member[T]{who, group, now, now})
	t.count++
	t.each[who]++
	if len(x.members) > PerTopic {
		t.sift(x, is(x.oldestOfMany()))
	}
	for t.count > t.most {
		oldest := t.order.Front().Value.(*topic[T])
		if oldest == x { // alone
			t.keep(x, 1, len(x.members))
			continue
		}
		t.keep(oldest, 0, 0)
	}
}

func (x *topic[T]) index(who T) int {
	return slices.IndexFunc(x.members, func(m member[T]) bool { return m.who == who })
}

// keep forgets all members of a topic but those from one place to another; a topic without any is forgotten.
func (t *Table[T]) keep(x *topic[T], from, to int) {
	for _, gone := range [][]member[T]{x.members[:from], x.members[to:]} {
		t.count -= len(gone)
		for _, m := range gone {
			if t.each[m.who]--; t.each[m.who] == 0 {
				delete(t.each, m.who)
			}
		}
	}
	if x.members = x.members[from:to]; len(x.members) == 0 {
		t.order.Remove(t.topics[x.name])
		delete(t.topics, x.name)
	}
}

// sift forgets the members of a topic for whom gone holds.
func (t *Table[T]) sift(x *topic[T], gone func(member[T]) bool) {
	var stay, left []member[T]
	for _, m := range x.members {
		if gone(m) {
			left = append(left, m)
		} else {
			stay = append(stay, m)
		}
	}
	x.members = append(stay, left...)
	t.keep(x, 0, len(stay))
}

// oldestOfMany is the first to come of the largest network group, of those the one that came first.
func (x *topic[T]) oldestOfMany() T {
	count := map[netip.Prefix]int{}
	for _, m := range x.members {
		count[m.group]++
	}
	at := 0
	for i, m := range x.members {
		if count[m.group] > count[x.members[at].group] {
			at = i
		}
	}
	return x.members[at].who
}

func is[T comparable](who T) func(member[T]) bool {
	return func(m member[T]) bool { return m.who == who }
}

// Leave notes that who is after a topic no more.
func (t *Table[T]) Leave(now time.Time, name Topic, who T) {
	x := t.of(name)
	if x == nil {
		return
	}
	if i := x.index(who); i >= 0 {
		x.stay += time.Duration(stayWeight * float64(now.Sub(x.members[i].since)-x.stay))
		t.sift(x, is(who))
	}
}

// Pick returns up to k of those who are after a topic and may be named: first who is fresh, in random order, then the
// others, the latest first; among the former each network group has its first before any has its second, lest one owner of many
// addresses is all that a newcomer hears of. Who has not said anything for TTL is forgotten.
func (t *Table[T]) Pick(now time.Time, name Topic, k int, rnd *rand.Rand, may func(T) bool) []T {
	x := t.of(name)
	if x == nil {
		return nil
	}
	t.sift(x, func(m member[T]) bool { return now.Sub(m.heard) > TTL })
	var out []T
	for _, m := range x.order(now, rnd) {
		if len(out) == k {
			break
		}
		if may(m.who) {
			out = append(out, m.who)
		}
	}
	return out
}

// order is in which order members are named.
func (x *topic[T]) order(now time.Time, rnd *rand.Rand) []member[T] {
	within := max(Fresh, time.Duration(freshPart*float64(x.stay)))
	fresh := len(x.members)
	for fresh > 0 && now.Sub(x.members[fresh-1].since) <= within {
		fresh--
	}
	order := slices.Clone(x.members[fresh:])
	rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	order = ByTurns(order, func(m member[T]) netip.Prefix { return m.group })
	for _, m := range slices.Backward(x.members[:fresh]) {
		order = append(order, m)
	}
	return order
}

// ByTurns orders items so that every group has its first before any has its second; within a turn they stay as they are.
func ByTurns[T any, G comparable](items []T, group func(T) G) []T {
	var turns [][]T
	had := make(map[G]int)
	for _, item := range items {
		g := group(item)
		if had[g] == len(turns) {
			turns = append(turns, nil)
		}
		turns[had[g]] = append(turns[had[g]], item)
		had[g]++
	}
	return slices.Concat(turns...)
}
