// Package trust owns what makes a copy believable when the origin is gone
// (design section 7): levels, evidence and the verdict over them. It is pure:
// statements, keys and time in, a verdict out; no network, store or clock.
package trust

import (
	"fmt"
	"slices"
	"time"

	"nt/internal/resource"
)

// Level says how believable a copy is. Levels are ordered: a higher one is
// accepted wherever a lower one is.
type Level uint8

const (
	// Unverified: somebody says so. Refused unless asked for with --trust any.
	Unverified Level = iota
	// Corroborated: readers in several network groups saw the same before the
	// first report of an outage, and nobody saw anything else.
	Corroborated
	// Notary: a notary that the user configured fetched it itself.
	Notary
	// Self: this user's own earlier fetch.
	Self
	// Publisher: signed by a key learnt from the origin while it was up.
	Publisher
	// Pinned: the user named the content's hash.
	Pinned
)

var names = [...]string{"unverified", "corroborated", "notary", "self", "publisher", "pinned"}

// String returns the level's name as in design section 7.
func (l Level) String() string {
	if int(l) < len(names) {
		return names[l]
	}
	return fmt.Sprintf("level %d", l)
}

// MarshalText writes the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a level's name; "any" is another word for unverified.
func (l *Level) UnmarshalText(b []byte) error {
	got, err := ParseLevel(string(b))
	if err != nil {
		return err
	}
	*l = got
	return nil
}

// ParseLevel reads a level's name; "any" is another word for unverified.
func ParseLevel(s string) (Level, error) {
	if s == "any" {
		return Unverified, nil
	}
	if i := slices.Index(names[:], s); i >= 0 {
		return Level(i), nil
	}
	return 0, fmt.Errorf("there is no trust level %q; levels are any, corroborated, notary, self, publisher, pinned", s)
}

// DefaultLevel is what is accepted unless the user says otherwise.
const DefaultLevel = Notary

// Evidence is a statement together with what the locator that kept it adds.
type Evidence struct {
	Statement resource.Statement
	// LoggedAt is when the locator first saw the statement, by its clock.
	LoggedAt time.Time
	// Group is the locator's opaque label of the network group (/16 or /32) the
	// statement came from. Same label, same group.
	Group string
	// Locator names whose word LoggedAt and Group are.
	Locator string
}

// Corroboration thresholds (design section 7, security section 3).
const (
	quorumKeys   = 3 // reader keys, each in a network group of its own
	dissentQuota = 5 // with at least this many groups one dissenting group is outvoted
	futureSlack  = 10 * time.Minute
)

// Policy is whom the user trusts.
type Policy struct {
	// Notaries are the keys of the notaries the user configured, by name ("HOST:PORT").
	Notaries map[resource.WitnessKey]string
	// Quorum is how many of them must agree; 0 means 1.
	Quorum int
	// Own are the user's own reader keys: what they saw is Self.
	Own map[resource.WitnessKey]bool
}

// Candidate is one content that was seen at a resource, and how believable it is.
type Candidate struct {
	// Statement is the newest observation of the content among those that gave it its
	// level; its headers are the ones a copy is served with.
	Statement resource.Statement
	Level     Level
	// Witnesses names who vouches: "notary HOST:PORT", "4 readers in 4 networks", "reader 1a2b3c4d".
	Witnesses []string
	// Disputed: others saw something else at the same time.
	Disputed bool
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
	var contents [][]Evidence
	for _, e := range usable(now, key, evidence) {
		i := slices.IndexFunc(contents, func(c []Evidence) bool { return c[0].Statement.SameContent(e.Statement) })
		if i < 0 {
			contents = append(contents, nil)
			i = len(contents) - 1
		}
		contents[i] = append(contents[i], e)
	}
	out := make([]Candidate, 0, len(contents))
	for i, c := range contents {
		out = append(out, p.judgeOne(c, others(contents, i), firstOutage))
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

func others(contents [][]Evidence, i int) []Evidence {
	var out []Evidence
	for j, c := range contents {
		if j != i {
			out = append(out, c...)
		}
	}
	return out
}

// judgeOne gives one content the highest level its evidence carries.
func (p Policy) judgeOne(same, dissent []Evidence, firstOutage time.Time) Candidate {
	if own := filter(same, func(e Evidence) bool { return p.Own[e.Statement.Witness] }); len(own) > 0 {
		return candidate(own, Self, []string{"this machine"})
	}
	if c, ok := p.notarised(same, dissent); ok {
		return c
	}
	readers := filter(same, func(e Evidence) bool { return loggedBefore(e, firstOutage) })
	newer := filter(dissent, func(e Evidence) bool { return e.Statement.ObservedAt >= first(same) })
	against := groups(filter(newer, func(e Evidence) bool { return loggedBefore(e, firstOutage) })) + keys(filter(newer, p.isNotary))
	if n := min(groups(readers), keys(readers)); n >= quorumKeys && (against == 0 || against == 1 && n >= dissentQuota) {
		c := candidate(readers, Corroborated, []string{fmt.Sprintf("%d readers in %d networks", keys(readers), groups(readers))})
		c.Disputed = against > 0
		return c
	}
	var who []string
	for _, e := range same {
		who = append(who, "reader "+e.Statement.Witness.Short())
	}
	slices.Sort(who)
	c := candidate(same, Unverified, slices.Compact(who))
	c.Disputed = len(dissent) > 0
	return c
}

// notarised reports whether enough configured notaries fetched the content
// themselves. Another notary that saw something else later only makes it
// disputed: pages change, and the newer copy is a candidate of its own.
func (p Policy) notarised(same, dissent []Evidence) (Candidate, bool) {
	vouching := filter(same, p.isNotary)
	var who []string
	for _, e := range vouching {
		who = append(who, "notary "+p.Notaries[e.Statement.Witness])
	}
	slices.Sort(who)
	who = slices.Compact(who)
	if keys(vouching) < max(p.Quorum, 1) {
		return Candidate{}, false
	}
	c := candidate(vouching, Notary, who)
	c.Disputed = slices.ContainsFunc(filter(dissent, p.isNotary), func(e Evidence) bool { return e.Statement.ObservedAt >= first(vouching) })
	return c, true
}

func (p Policy) isNotary(e Evidence) bool { return p.Notaries[e.Statement.Witness] != "" }

func candidate(evidence []Evidence, l Level, who []string) Candidate {
	newest := slices.MaxFunc(evidence, func(a, b Evidence) int { return int(a.Statement.ObservedAt - b.Statement.ObservedAt) })
	return Candidate{Statement: newest.Statement, Level: l, Witnesses: who}
}

// loggedBefore reports whether a locator logged the evidence before the outage.
func loggedBefore(e Evidence, firstOutage time.Time) bool {
	return !e.LoggedAt.IsZero() && (firstOutage.IsZero() || e.LoggedAt.Before(firstOutage))
}

// first returns the earliest observation of a content, in Unix seconds: what
// was seen instead before that is an older version, not a dissent.
func first(evidence []Evidence) int64 {
	t := evidence[0].Statement.ObservedAt
	for _, e := range evidence {
		t = min(t, e.Statement.ObservedAt)
	}
	return t
}

func filter(evidence []Evidence, keep func(Evidence) bool) []Evidence {
	return slices.DeleteFunc(slices.Clone(evidence), func(e Evidence) bool { return !keep(e) })
}

// groups counts network groups. A group is one locator's label: labels of two
// locators cannot be compared, so only the locator with the most counts.
func groups(evidence []Evidence) int {
	byLocator := map[string]map[string]bool{}
	most := 0
	for _, e := range evidence {
		if e.Group == "" {
			continue
		}
		if byLocator[e.Locator] == nil {
			byLocator[e.Locator] = map[string]bool{}
		}
		byLocator[e.Locator][e.Group] = true
		most = max(most, len(byLocator[e.Locator]))
	}
	return most
}

func keys(evidence []Evidence) int {
	set := map[resource.WitnessKey]bool{}
	for _, e := range evidence {
		set[e.Statement.Witness] = true
	}
	return len(set)
}
