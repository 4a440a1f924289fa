package trust

import (
	"strings"
	"time"
)

// PageHash begins the name of a witness that is a page which loads the content and names its hash.
const PageHash = "integrity in "

// Describe says in one line what a copy is: never "verified" or "secure" below
// Publisher, because it is not. originDown is the reason the origin was not
// used, "" to leave it out.
//
//	COPY, not the live site. Seen 2026-03-01 14:02Z by notary t.example:7070; origin: connection refused
func Describe(l Level, witnesses []string, seen time.Time, disputed bool, originDown string) string {
	var b strings.Builder
	b.WriteString("COPY, not the live site. ")
	switch l {
	case Pinned:
		b.WriteString("Its hash is the one you asked for")
		if len(witnesses) == 1 && strings.HasPrefix(witnesses[0], PageHash) {
			b.Reset()
			b.WriteString("COPY, not the live site. Its hash is the one named by the " + witnesses[0])
		}
	case Publisher:
		b.WriteString("Signed by its publisher")
	default:
		b.WriteString("Seen")
	}
	if !seen.IsZero() {
		b.WriteString(" " + seen.UTC().Format("2006-01-02 15:04Z"))
	}
	if len(witnesses) > 0 && l != Pinned {
		b.WriteString(" by " + strings.Join(witnesses, ", "))
	}
	if l == Unverified {
		b.WriteString(", nobody you trust vouches for it")
	}
	if disputed {
		b.WriteString(", others saw something else")
	}
	if originDown != "" {
		b.WriteString("; origin: " + originDown)
	}
	return b.String()
}
