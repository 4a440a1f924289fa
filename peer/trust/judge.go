package trust

import (
	"fmt"
	"slices"
	"time"

	"nt/internal/resource"
)

// Corroboration thresholds (docs/design.md section 7).
const (
	quorumKeys   = 3 // reader keys, each in a network group of its own
	dissentQuota = 5 // with at least this many groups one dissenting group is outvoted
	futureSlack  = 10 * time.Minute
	// ripe is how old a reader's key must be to count: who needs many keys during an
	// outage must have had them the day before.
	ripe = 24 * time.Hour
	// sameTime is within what time notaries who saw two things saw them at the same time.
	// Further apart, the page has changed.
	sameTime = 10 * time.Minute
)

// Candidate is one content that was seen at a resource, and how believable it is.
type Candidate struct {
	// Statement is the newest observation of the content among those that gave it its
	// level; its headers are the ones a copy is served with.
	Statement resource.Statement
	Level     Level
	// Witnesses names who vouches: "notary HOST:PORT", "4 readers in 4 networks", "reader 1a2b3c4d".
	Witnesses []string
	// Dissent: somebody saw something else.
	Dissent bool
	// Disputed: those whose word would be enough contradict each other about the same time.
	// Such a copy is never chosen for the reader: there are several versions, and which is
	// the right one is not for us to say.
	Disputed bool
	// Unsigned: the publisher's key is known, and it has not signed this content.
	Unsigned bool
}

// ObservedAt returns when the witnesses last saw the content.
func (c Candidate) ObservedAt() time.Time { return c.Statement.Time() }

// Judge weighs all evidence about one resource and returns a candidate per
// distinct content, the most believable first, among equals the newest.
// Evidence about other keys, with bad signatures or from the future is left out.
// firstOutage is when the locator first heard that the origin is down (zero:
// never); only what readers logged before it can corroborate, because whoever
// attacks an outage arrives after it began.
func Judge(now time.Time, key resource.Key, evidence []Evidence, firstOutage time.Time, p Policy) []Candidate {
	if p.Claim != nil && p.Claim.Statement != nil {
		evidence = append(slices.Clone(evidence), Evidence{Statement: *p.Claim.Statement})
	}
	var contents [][]Evidence
	for _, e := range usable(now, key, evidence) {
		i := slices.IndexFunc(contents, func(c []Evidence) bool { return c[0].Statement.SameContent(e.Statement) })
		if i < 0 {
			contents = append(contents, nil)
			i = len(contents) - 1
		}
		contents[i] = append(contents[i], e)
	}
	v := view{Policy: p, now: now, firstOutage: firstOutage}
	out := make([]Candidate, 0, len(contents))
	for i, c := range contents {
		out = append(out, v.judgeOne(c, others(contents, i)))
	}
	slices.SortStableFunc(out, func(a, b Candidate) int {
		if a.Level != b.Level {
			return int(b.Level) - int(a.Level)
		}
		return int(b.Statement.ObservedAt - a.Statement.ObservedAt)
	})
	return out
}

func usable(now time.Time, key resource.Key, evidence []Evidence) []Evidence {
	latest := now.Add(futureSlack)
	return slices.DeleteFunc(slices.Clone(evidence), func(e Evidence) bool {
		return e.Statement.Key != key || e.Statement.Time().After(latest) || e.Statement.Verify() != nil
	})
}

func others(contents [][]Evidence, i int) [][]Evidence {
	return slices.Delete(slices.Clone(contents), i, i+1)
}

// view is a policy at a point in time.
type view struct {
	Policy
	now, firstOutage time.Time
}

// judgeOne gives one content the highest level its evidence carries.
func (v view) judgeOne(same []Evidence, dissent [][]Evidence) Candidate {
	if own := filter(same, func(e Evidence) bool { return v.Own[e.Statement.Witness] }); len(own) > 0 {
		return candidate(own, Self, []string{"this machine"})
	}
	if v.Claim != nil {
		return v.published(same)
	}
	if c, ok := v.notarised(same, dissent); ok {
		return c
	}
	if c, ok := v.corroborated(same, dissent); ok {
		return c
	}
	c := candidate(same, Unverified, namesOf(same))
	c.Dissent = len(dissent) > 0
	return c
}

// published judges where a publisher's key is known: what it signed, or nothing.
func (v view) published(same []Evidence) Candidate {
	if v.Claim.Signs(same[0].Statement) {
		s := v.Claim.Statement
		return Candidate{Statement: *s, Level: Publisher, Witnesses: []string{v.Claim.Publisher}}
	}
	c := candidate(same, Unverified, namesOf(same))
	c.Unsigned, c.Dissent = true, v.Claim.Statement != nil
	return c
}

// notarised reports whether configured notaries in enough trust domains fetched the
// content themselves. What notaries of other domains saw instead at the same time makes
// it disputed; at another time it is another version, and a candidate of its own.
func (v view) notarised(same []Evidence, dissent [][]Evidence) (Candidate, bool) {
	vouching := filter(same, v.isNotary)
	if v.domains(vouching) < max(v.Quorum, 1) {
		return Candidate{}, false
	}
	var who []string
	for _, e := range vouching {
		who = append(who, "notary "+v.Notaries[e.Statement.Witness])
	}
	slices.Sort(who)
	c := candidate(vouching, Notary, slices.Compact(who))
	for _, d := range dissent {
		against := filter(d, v.isNotary)
		c.Dissent = c.Dissent || len(against) > 0 && last(against) >= first(vouching)
		c.Disputed = c.Disputed || v.contradict(vouching, against)
	}
	return c, true
}

// contradict reports whether a notary in each of two lists, in different trust domains, saw
// the two contents at the same time.
func (v view) contradict(a, b []Evidence) bool {
	for _, x := range a {
		for _, y := range b {
			apart := x.Statement.Time().Sub(y.Statement.Time()).Abs()
			if apart < sameTime && v.domain(x) != v.domain(y) {
				return true
			}
		}
	}
	return false
}

func (v view) isNotary(e Evidence) bool    { return v.Notaries[e.Statement.Witness] != "" }
func (v view) domain(e Evidence) string    { return Domain(v.Notaries[e.Statement.Witness]) }
func (v view) domains(list []Evidence) int { return len(distinct(list, v.domain)) }

// corroborated reports whether enough readers saw the content before the outage. One
// network that saw something else since is outvoted by five; any more contradict it. A
// notary's word against it is decisive.
func (v view) corroborated(same []Evidence, dissent [][]Evidence) (Candidate, bool) {
	saw := filter(same, v.counts)
	n := min(groups(saw), keys(saw))
	if n < quorumKeys {
		return Candidate{}, false
	}
	var newer, notaries []Evidence
	for _, d := range dissent {
		since := filter(d, func(e Evidence) bool { return e.Statement.ObservedAt >= first(same) })
		newer = append(newer, filter(since, func(e Evidence) bool { return loggedBefore(e, v.firstOutage) })...)
		notaries = append(notaries, filter(since, v.isNotary)...)
	}
	c := candidate(saw, Corroborated, []string{fmt.Sprintf("%d readers in %d networks", keys(saw), groups(saw))})
	against := groups(newer)
	c.Dissent = against+len(notaries) > 0
	c.Disputed = len(notaries) > 0 || against > 1 || against == 1 && n < dissentQuota
	return c, true
}

// counts reports whether a reader's word counts: logged before the outage, by a key that
// was known a day before it.
func (v view) counts(e Evidence) bool {
	until := v.firstOutage
	if until.IsZero() {
		until = v.now
	}
	return loggedBefore(e, v.firstOutage) && !e.KeySince.IsZero() && until.Sub(e.KeySince) >= ripe
}

// loggedBefore reports whether a locator logged the evidence before the outage.
func loggedBefore(e Evidence, firstOutage time.Time) bool {
	return !e.LoggedAt.IsZero() && (firstOutage.IsZero() || e.LoggedAt.Before(firstOutage))
}

func candidate(evidence []Evidence, l Level, who []string) Candidate {
	newest := slices.MaxFunc(evidence, func(a, b Evidence) int { return int(a.Statement.ObservedAt - b.Statement.ObservedAt) })
	return Candidate{Statement: newest.Statement, Level: l, Witnesses: who}
}

func namesOf(same []Evidence) []string {
	return distinct(same, func(e Evidence) string { return "reader " + e.Statement.Witness.Short() })
}

func distinct(list []Evidence, name func(Evidence) string) []string {
	var out []string
	for _, e := range list {
		out = append(out, name(e))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
