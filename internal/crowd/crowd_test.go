package crowd

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Unix(1_000_000, 0)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func group(n byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, n, 0}), 24)
}

func dice() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func anybody(int) bool { return true }

func topicOf(n int) (t Topic) {
	binary.BigEndian.PutUint32(t[:], uint32(n))
	return t
}

func TestTheFreshAreNamedFirst(t *testing.T) {
	c := New[int](1000)
	for i := range 20 { // one each 100 ms
		c.Join(at(100*i), topicOf(1), i, group(byte(i)))
	}
	got := c.Pick(at(2000), topicOf(1), 8, dice(), anybody)
	if len(got) != 8 {
		t.Fatalf("%d named, want 8", len(got))
	}
	fresh := slices.Sorted(slices.Values(got[:6]))
	if want := []int{14, 15, 16, 17, 18, 19}; !slices.Equal(fresh, want) {
		t.Errorf("named first: %v, want %v in any order", fresh, want)
	}
	if !slices.Equal(got[6:], []int{13, 12}) {
		t.Errorf("then %v, want the latest of the others", got[6:])
	}
	if other := c.Pick(at(2000), topicOf(2), 8, dice(), anybody); len(other) != 0 {
		t.Errorf("%v are named for another topic", other)
	}
}

func TestWhoLeftOrFellSilentIsNotNamed(t *testing.T) {
	c := New[int](1000)
	for i := range 4 {
		c.Join(at(i), topicOf(1), i, group(byte(i)))
	}
	c.Leave(at(5), topicOf(1), 2)
	c.Join(at(20_000), topicOf(1), 1, group(1)) // says so again
	if got := c.Pick(at(26_000), topicOf(1), 8, dice(), anybody); !slices.Equal(got, []int{1}) {
		t.Errorf("named: %v, want 1 alone", got)
	}
	if c.Len() != 1 {
		t.Errorf("%d remembered, want 1", c.Len())
	}
	if got := c.Pick(at(26_000), topicOf(1), 8, dice(), func(who int) bool { return who != 1 }); len(got) != 0 {
		t.Errorf("%v are named, who may not be", got)
	}
}

// TestNoNetworkIsAllThatIsNamed: forty members of one network and four of others came at once.
func TestNoNetworkIsAllThatIsNamed(t *testing.T) {
	c := New[int](1000)
	for i := range 44 {
		g := byte(0)
		if i%11 == 0 {
			g = byte(i) + 100
		}
		c.Join(at(i), topicOf(1), i, group(g))
	}
	others := 0
	for _, i := range c.Pick(at(100), topicOf(1), 8, dice(), anybody) {
		if i%11 == 0 {
			others++
		}
	}
	if others < 4 {
		t.Errorf("%d of 4 other networks are named", others)
	}
}

// TestBounded: whatever is joined and left, memory is bounded, and what is counted is there.
func TestBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 100
		c := New[int](most)
		now := 0
		for range rapid.IntRange(1, 2000).Draw(t, "steps") {
			now += rapid.IntRange(0, 3000).Draw(t, "ms")
			of, who := topicOf(rapid.IntRange(0, 40).Draw(t, "topic")), rapid.IntRange(0, 30).Draw(t, "who")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				c.Leave(at(now), of, who)
			case 1:
				got := c.Pick(at(now), of, 8, dice(), anybody)
				if slices.Sort(got); len(got) > 8 || len(slices.Compact(got)) != len(got) {
					t.Fatalf("picked %v", got)
				}
			default:
				c.Join(at(now), of, who, group(byte(who)))
				if got := c.of(of); got == nil || got.index(who) < 0 {
					t.Fatal("who joined is not there")
				}
			}
			there, each := 0, 0
			for _, n := range c.each {
				each += n
			}
			for e := c.order.Front(); e != nil; e = e.Next() {
				x := e.Value.(*topic[int])
				there += len(x.members)
				if len(x.members) == 0 || len(x.members) > PerTopic || c.of(x.name) != x {
					t.Fatalf("a topic of %d members", len(x.members))
				}
			}
			if there != c.Len() || each != there || there > most || len(c.topics) != c.order.Len() {
				t.Fatalf("%d members are there, %d counted; %d topics, %d in order", there, c.Len(), len(c.topics), c.order.Len())
			}
		}
	})
}

// TestTheTopicJoinedLastIsKept: where there is no room, who came last is remembered.
func TestTheTopicJoinedLastIsKept(t *testing.T) {
	c := New[int](10)
	for i := range 15 {
		c.Join(at(i), topicOf(i), i, group(1))
		c.Join(at(i), topicOf(0), 100, group(1)) // joined all the time
	}
	if got := c.Pick(at(20), topicOf(14), 8, dice(), anybody); len(got) != 1 {
		t.Error("the last topic was forgotten")
	}
	if got := c.Pick(at(20), topicOf(0), 8, dice(), anybody); !slices.Contains(got, 100) {
		t.Error("a topic that is joined all the time was forgotten")
	}
	if got := c.Pick(at(20), topicOf(1), 8, dice(), anybody); len(got) != 0 {
		t.Error("the topic that nobody joined for longest is still there")
	}
}

// TestNobodyIsEverywhere: one member does not push others out by being after everything.
func TestNobodyIsEverywhere(t *testing.T) {
	c := New[int](2 * PerMember)
	c.Join(at(0), topicOf(0), 1, group(1))
	for i := range 10 * PerMember {
		c.Join(at(1), topicOf(1+i), 2, group(2))
	}
	if c.Len() != 1+PerMember || len(c.Pick(at(2), topicOf(0), 8, dice(), anybody)) != 1 {
		t.Errorf("%d are remembered, want the first and %d of the second", c.Len(), PerMember)
	}
	c.Leave(at(2), topicOf(1), 2)
	c.Join(at(3), topicOf(0), 2, group(2))
	if got := c.Pick(at(4), topicOf(0), 8, dice(), anybody); len(got) != 2 {
		t.Errorf("%v are named, want both", got)
	}
}

// TestOneNetworkDoesNotPushOthersOut: sixty keys of one network come after eight others.
func TestOneNetworkDoesNotPushOthersOut(t *testing.T) {
	c := New[int](1000)
	for i := range 8 {
		c.Join(at(i), topicOf(1), i, group(byte(10+i)))
	}
	for i := range 2 * PerTopic {
		c.Join(at(10+i), topicOf(1), 100+i, group(1))
	}
	others := 0
	for _, who := range c.Pick(at(200), topicOf(1), PerTopic, dice(), anybody) {
		if who < 100 {
			others++
		}
	}
	if others != 8 || c.Len() != PerTopic {
		t.Errorf("%d of 8 others are left, %d in all", others, c.Len())
	}
	if got := c.Pick(at(200), topicOf(1), 16, dice(), anybody); len(got) != 16 {
		t.Errorf("%d named", len(got))
	}
}

// TestWhoIsFreshDependsOnHowLongMembersStay: where all take 40 s, who came in the last half second has nothing to give.
func TestWhoIsFreshDependsOnHowLongMembersStay(t *testing.T) {
	c := New[int](1000)
	for i := range 60 {
		c.Join(at(0), topicOf(1), 1000+i, group(byte(i)))
	}
	for i := range 60 {
		c.Leave(at(40_000), topicOf(1), 1000+i)
	}
	for i := range 60 { // four a second
		c.Join(at(40_000+250*i), topicOf(1), i, group(byte(i)))
	}
	named := map[int]bool{}
	for range 100 {
		for _, who := range c.Pick(at(55_000), topicOf(1), 8, dice(), anybody) {
			named[who] = true
		}
	}
	for who := range 60 {
		if fresh := 55_000-(40_000+250*who) <= 5900; named[who] && !fresh {
			t.Errorf("one who came %d ms ago is named before those of the last 6 s", 15_000-250*who)
		}
	}
	if first := c.Pick(at(55_000), topicOf(1), 24, dice(), anybody); len(first) != 24 || slices.Max(first) != 59 || slices.Min(first) > 40 {
		t.Errorf("named: %v, want from all of the last 6 s", first)
	}
}
