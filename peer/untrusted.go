package peer

import (
	"fmt"
	"strings"

	"nt/peer/trust"
)

// maxVersions is how many versions an UntrustedError's text tells apart.
const maxVersions = 4

// UntrustedError carries the copies that were found and not accepted.
type UntrustedError struct {
	URL    string
	Need   trust.Level
	Found  []trust.Candidate // the most believable first
	Origin error             // why the origin was not used
	// Risky: the level would do for a page, but this is a program or an archive.
	Risky bool
	// Publisher is whose key is known and has signed none of what was found, and why; ""
	// if no key is known.
	Publisher, Unsigned string
	// Liars are the files with the proofs that notaries who vouch for what was found told
	// others something else.
	Liars []string
}

// Disputed reports whether those who would be believed contradict each other.
func (e *UntrustedError) Disputed() bool {
	for _, c := range e.Found {
		if c.Disputed && c.Level >= e.Need {
			return true
		}
	}
	return false
}

func (e *UntrustedError) Error() string {
	best := "nothing"
	if len(e.Found) > 0 {
		best = e.Found[0].Level.String()
	}
	switch {
	case e.Publisher != "":
		return fmt.Sprintf("no copy of %s is signed by its publisher (%s), whose key is known: %s", e.URL, e.Publisher, e.Unsigned)
	case e.Disputed():
		return fmt.Sprintf("%s is disputed: %s", e.URL, versions(e.Found))
	case e.Risky:
		return fmt.Sprintf("%s is a program, a script or an archive; a copy that is only %s needs a checksum", e.URL, best)
	case len(e.Found) > 1:
		return fmt.Sprintf("the best copy of %s is %s, %s is asked for; there are %d versions: %s", e.URL, best, e.Need, len(e.Found), versions(e.Found))
	}
	return fmt.Sprintf("the best copy of %s is %s, %s is asked for", e.URL, best, e.Need)
}

func (e *UntrustedError) Unwrap() []error { return []error{ErrUntrusted, e.Origin} }

// versions lists what was seen when by whom, with the name to ask for it by.
func versions(found []trust.Candidate) string {
	var out []string
	for _, c := range found[:min(len(found), maxVersions)] {
		out = append(out, fmt.Sprintf("%s seen %s by %s", c.Statement.Object, c.ObservedAt().Format("2006-01-02 15:04:05Z"), strings.Join(capped(c.Witnesses), ", ")))
	}
	if n := len(found) - maxVersions; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, "; ")
}
