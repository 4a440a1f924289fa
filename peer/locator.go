package peer

import (
	"context"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/trust"
	"nt/transport"
)

// Locator is a way to learn who has a resource and to say that we have it (N9,
// N10). Implementations are safe for concurrent use; every method honours the
// context's deadline.
type Locator interface {
	// Lookup says who claims the resource and what witnesses say of it. Nobody
	// is an empty Found, not an error; an error means that the locator could
	// not be asked.
	Lookup(ctx context.Context, key resource.Key) (Found, error)
	// Announce says "I have it" for a batch and returns for how long that holds
	// (announce again before) and a reason per refused item.
	Announce(ctx context.Context, items []Announcement) (Announced, error)
	// Report says that a peer which Lookup named failed (N12).
	Report(ctx context.Context, f Failure) error
	// Leave takes back everything this node announced.
	Leave(ctx context.Context) error
}

// Found is what a locator knows of one resource.
type Found struct {
	Holders  []Holder
	Evidence []trust.Evidence
	// FirstOutage is when the locator first heard from somebody who could not
	// reach the origin, by the locator's clock; zero if never.
	FirstOutage time.Time
	// Headers are those of the objects that are known; each is the object's, for its hash is its name.
	Headers map[chunker.ObjectID]chunker.Header
	// Settling is for how long holders may be missing because a locator has restarted and not
	// everybody has told it again what he has; 0 when all should be known.
	Settling time.Duration
}

// Holder is a peer that claims an object of the resource.
type Holder struct {
	transport.Peer
	Object chunker.ObjectID
}

// Announcement is one resource this node holds and may share.
type Announcement struct {
	// Statement is this node's own, or that of the witness who made a copy from
	// peers believable.
	Statement resource.Statement
	// URL is told only to a locator that is a notary and must fetch it itself.
	URL string
	// Header is that of the statement's object; the zero Header if it is not at hand.
	Header chunker.Header
}

// Announced is a locator's answer to a batch.
type Announced struct {
	TTL     time.Duration  // how long the announcements hold
	Refused map[int]string // index in the batch -> reason
}

// Failure reports a peer that did not deliver.
type Failure struct {
	Key    resource.Key
	Peer   transport.Peer
	Reason FailureReason
}

// FailureReason says how a peer failed.
type FailureReason string

// The reasons of API v1.
const (
	FailureDead FailureReason = "dead" // no answer, broke off, or does not have it
	FailureBad  FailureReason = "bad"  // wrong bytes or wrong proofs
)
