package tracker

import (
	"cmp"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nt/internal/crowd"
)

const (
	// demoteGroups is from how many network groups a peer must be reported before
	// it is handed out last (security row 10).
	demoteGroups = 3
	// demotedShare: one place in so many is kept for peers that were reported, so
	// that slander can delay a peer but not hide it.
	demotedShare = 8
	// freshFor is how long after its announcement a peer is preferred.
	freshFor = 15 * time.Minute
)

// nearDraws is how many holders are drawn where those of the asker's network are
// looked for: in larger swarms some of them are missed.
const nearDraws = 512

// candidates is how many holders to draw for handing out want.
func candidates(want int, near bool) int {
	if near {
		return nearDraws
	}
	return 2*want + 8
}

// handOut chooses up to want of the drawn holders: never the asker, one per
// endpoint, network groups in turn, fresh ones first within a group, reported
// ones last but with places of their own. near puts those of the asker's network
// group first, for who would rather not pay for a long way; the rest is mixed as ever.
func handOut(now time.Time, drawn []Holder, want int, asker netip.AddrPort, near bool, rnd *mrand.Rand) []Holder {
	healthy, demoted := split(drawn, asker)
	shuffle(healthy, rnd)
	shuffle(demoted, rnd)
	slices.SortStableFunc(demoted, func(a, b Holder) int { return cmp.Compare(a.Failures, b.Failures) })
	reserved := min(len(demoted), max(1, want/demotedShare))
	if room := want - len(healthy); room > reserved {
		reserved = min(len(demoted), room)
	}
	healthy = mixGroups(healthy, now.Add(-freshFor).Unix())
	if near {
		healthy = nearFirst(healthy, WideGroup(asker.Addr()), want)
	}
	healthy = healthy[:min(len(healthy), want-reserved)]
	// The last reserved place goes to any demoted peer, not to the least demoted.
	if n := len(demoted); reserved > 0 && reserved < n {
		i := reserved - 1 + rnd.IntN(n-reserved+1)
		demoted[reserved-1], demoted[i] = demoted[i], demoted[reserved-1]
	}
	return append(healthy, demoted[:reserved]...)
}

func split(drawn []Holder, asker netip.AddrPort) (healthy, demoted []Holder) {
	seen := make(map[netip.AddrPort]bool, len(drawn))
	healthy = make([]Holder, 0, len(drawn))
	for _, h := range drawn {
		if h.Addr == asker || seen[h.Addr] {
			continue
		}
		seen[h.Addr] = true
		if h.Failures >= demoteGroups {
			demoted = append(demoted, h)
		} else {
			healthy = append(healthy, h)
		}
	}
	return healthy, demoted
}

// nearFirst moves holders of a group to the front, but leaves one place in four to
// others: a group may be one attacker's (security row 13).
func nearFirst(hs []Holder, g Group, want int) []Holder {
	most := want - want/4
	var first, rest []Holder
	for _, h := range hs {
		if len(first) < most && WideGroup(h.Addr.Addr()) == g {
			first = append(first, h)
		} else {
			rest = append(rest, h)
		}
	}
	return append(first, rest...)
}

func shuffle(hs []Holder, rnd *mrand.Rand) {
	rnd.Shuffle(len(hs), func(i, j int) { hs[i], hs[j] = hs[j], hs[i] })
}

// mixGroups orders holders so that every network group has its first before any
// has its second (security row 13), each its fresh ones first.
func mixGroups(hs []Holder, freshSince int64) []Holder {
	fresh := slices.Clone(hs)
	slices.SortStableFunc(fresh, func(a, b Holder) int { return cmp.Compare(stale(a, freshSince), stale(b, freshSince)) })
	return crowd.ByTurns(fresh, func(h Holder) Group { return WideGroup(h.Addr.Addr()) })
}

// stale is 1 of who announced before a moment, else 0.
func stale(h Holder, freshSince int64) int {
	if h.Announced < freshSince {
		return 1
	}
	return 0
}
