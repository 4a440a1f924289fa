package trust

import "nt/internal/resource"

// Equivocates reports whether two statements, both with valid signatures, prove that their
// witness says different things to different people: two contents at one URL in one second.
// A notary never signs such a pair, however fast the page changes; another encoding is another
// representation, and no contradiction.
func Equivocates(a, b resource.Statement) bool {
	return a.Witness == b.Witness && a.Key == b.Key && a.ObservedAt == b.ObservedAt && a.Encoding() == b.Encoding() && !a.SameContent(b)
}
