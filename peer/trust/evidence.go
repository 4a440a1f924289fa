package trust

import (
	"slices"
	"strings"
	"time"

	"nt/internal/resource"
)

// Evidence is a statement together with what the locator that kept it adds.
type Evidence struct {
	Statement resource.Statement
	// LoggedAt is when the locator first saw the statement, by its clock.
	LoggedAt time.Time
	// KeySince is when the locator first heard of the statement's witness, by its clock;
	// zero if it does not say.
	KeySince time.Time
	// Group is the locator's opaque label of the network group (/16 or /32) the
	// statement came from. Same label, same group.
	Group string
	// Locator names whose word LoggedAt, KeySince and Group are.
	Locator string
}

// Policy is whom the user trusts.
type Policy struct {
	// Notaries are the keys of the notaries the user configured, by name: "HOST:PORT" of a
	// tracker, or "NAME". Names with the same host are one trust domain (see Domain).
	Notaries map[resource.WitnessKey]string
	// Quorum is in how many trust domains notaries must agree; 0 means 1.
	Quorum int
	// Own are the user's own reader keys: what they saw is Self.
	Own map[resource.WitnessKey]bool
	// Claim is what the resource's publisher says, nil if no key of it is known.
	Claim *Claim
}

// Claim is what a publisher whose key is known says of one resource. While one is known,
// nobody else's word counts there.
type Claim struct {
	Publisher string // who, for people: "https://example.org, key 1a2b3c4d"
	// Statement is signed by the publisher's key; nil if there is nothing valid.
	Statement *resource.Statement
	Why       string // there is no Statement
}

// Signs reports whether the publisher signed the bytes of a statement. What type they have
// is the publisher's to say: a web server may call them otherwise than nt sign did.
func (c *Claim) Signs(s resource.Statement) bool {
	return c.Statement != nil && c.Statement.Key == s.Key && c.Statement.Object == s.Object && c.Statement.Encoding() == s.Encoding()
}

// Domain returns the part of a notary's name that tells who runs it: the host. Two notaries
// of one operator are one voice.
func Domain(name string) string {
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.Contains(name[i:], "]") {
		name = name[:i]
	}
	return strings.ToLower(strings.Trim(name, "[]"))
}

func filter(evidence []Evidence, keep func(Evidence) bool) []Evidence {
	return slices.DeleteFunc(slices.Clone(evidence), func(e Evidence) bool { return !keep(e) })
}

// first and last return the earliest and the latest observation, in Unix seconds.
func first(evidence []Evidence) int64 {
	t := evidence[0].Statement.ObservedAt
	for _, e := range evidence {
		t = min(t, e.Statement.ObservedAt)
	}
	return t
}

func last(evidence []Evidence) int64 {
	t := evidence[0].Statement.ObservedAt
	for _, e := range evidence {
		t = max(t, e.Statement.ObservedAt)
	}
	return t
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
