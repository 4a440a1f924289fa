package trust

import "nt/internal/resource"

// Equivocates reports whether two statements, both with valid signatures, prove that their
// witness keeps two accounts for two readers. What a notary never signs is two contents at one
// URL in one second, however fast the page changes, nor two statements whose places in its log
// (resource.Place) and times do not fit together. Another encoding is another representation.
func Equivocates(a, b resource.Statement) bool {
	if a.Witness != b.Witness {
		return false
	}
	return twoAtOnce(a, b) || twoLogs(a, b) || twoPlaces(a, b)
}

func sameResource(a, b resource.Statement) bool {
	return a.Key == b.Key && a.Encoding() == b.Encoding()
}

func twoAtOnce(a, b resource.Statement) bool {
	return sameResource(a, b) && a.ObservedAt == b.ObservedAt && !a.SameContent(b)
}

// twoLogs: whatever they are about, a log is over when the next one begins. What has no place is
// of the time before the first.
func twoLogs(a, b resource.Statement) bool {
	if a.Place.Log > b.Place.Log {
		a, b = b, a
	}
	return a.Place.Log < b.Place.Log && a.ObservedAt >= b.Place.Log
}

// twoPlaces: in one log one resource's statements are a chain.
func twoPlaces(a, b resource.Statement) bool {
	if a.Place.IsZero() || a.Place.Log != b.Place.Log || !sameResource(a, b) {
		return false
	}
	if a.Place.Seq > b.Place.Seq {
		a, b = b, a
	}
	switch b.Place.Seq - a.Place.Seq {
	case 0:
		return a.Digest() != b.Digest()
	case 1:
		return a.ObservedAt > b.ObservedAt || a.Digest() != b.Place.Prev
	}
	return a.ObservedAt > b.ObservedAt
}
