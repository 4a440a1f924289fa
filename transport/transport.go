package transport

import (
	"context"
	"errors"

	"nt/chunker"
	"nt/chunker/nois"
)

var (
	// ErrNotFound reports an object that a Source does not hold, not even in part.
	ErrNotFound = errors.New("transport: no such object here")
	// ErrNoProgress ends a Fetch that has run out of peers that help. What was
	// delivered before stays in the Sink; another transport may go on from there.
	ErrNoProgress = errors.New("transport: no peer delivers")
)

// Transport moves objects among peers. Implementations are safe for concurrent
// use and must pass transporttest.
type Transport interface {
	// Name is the transport's name in configuration and announcements: "http".
	Name() string
	// Fetch fills req.Sink until it is complete and returns nil then. It
	// returns an error that wraps ErrNoProgress when no peer can deliver what
	// is missing, the context's error when that ends first, and the Sink's
	// error when that fails for a reason of its own (disk full). It never
	// returns before the goroutines it started have stopped touching the Sink.
	Fetch(ctx context.Context, req Request) error
	// Close stops serving and ends every running Fetch.
	Close() error
}

// Request is one object to be fetched.
type Request struct {
	Object chunker.ObjectID
	// Peers is asked for holders at the start and again whenever the transport
	// runs short. It may return the same peers again, or none; the transport
	// paces its asking. An error means "nobody else for now" and is not fatal.
	Peers func(ctx context.Context) ([]Peer, error)
	Sink  Sink
	// Observe hears what happened, from any goroutine, in order per peer. May be nil.
	Observe func(Event)
	// Limit is the highest rate in bytes per second the whole Fetch may
	// receive; 0 is unlimited.
	Limit int64
	// Arrivals names chunks that came into the Sink by another way while this Fetch runs,
	// from the origin for example, so that peers need not be asked for them. It may drop
	// some, and a transport may ignore it. nil: there are none.
	Arrivals <-chan int
}

// Sink is the one verified door into a store: it accepts a header only if it is
// the object's, hashes only if they lead to the header's root, and chunks only
// if they match. It is safe for concurrent use. A store's object implements it.
type Sink interface {
	// Begin gives the header. It wraps chunker.ErrBadHeader if h is not the
	// object's; given again it does nothing.
	Begin(h chunker.Header) error
	// AddProof wraps chunker.ErrBadProof if the proof is wrong, chunker.ErrNoProof if it is short (chunker.MetaProof.Short) and
	// nothing is known that it leads to.
	AddProof(meta int, p chunker.MetaProof) error
	// Put wraps chunker.ErrBadChunk if data is not chunk i and
	// chunker.ErrNoProof if AddProof was not called for its MetaChunk. A chunk
	// that is there already is not an error. Put does not keep data.
	Put(i int, data []byte) error
	// Header returns the header once Begin has accepted it.
	Header() (chunker.Header, bool)
	// Have returns a copy of the set of chunks that are there.
	Have() *nois.Set
	// HasProof reports whether the proof of the MetaChunk is known.
	HasProof(meta int) bool
}

// Source is what a transport serves from: the objects a node holds, whole or in part.
type Source interface {
	// Open returns the object or an error that wraps ErrNotFound.
	Open(id chunker.ObjectID) (Object, error)
}

// Object is one object of a Source. It is safe for concurrent use.
type Object interface {
	Header() (chunker.Header, bool)
	Have() *nois.Set
	// MetaProof returns the proof of a MetaChunk, or wraps chunker.ErrNoProof.
	MetaProof(meta int) (chunker.MetaProof, error)
	// ReadChunk appends chunk i to buf[:0] and returns it. What it returns has been
	// checked against its hash on this very read. It wraps ErrNotFound for a
	// chunk that is not there.
	ReadChunk(i int, buf []byte) ([]byte, error)
	// Close lets the store evict the object again.
	Close() error
}

// EventKind says what an Event tells.
type EventKind uint8

const (
	// EventChunk: Bytes of proved content came from Peer.
	EventChunk EventKind = iota + 1
	// EventOverhead: Bytes other than proved content came from or went to Peer:
	// headers, proofs, content that was there already.
	EventOverhead
	// EventBadPeer: Peer delivered wrong bytes or broke the protocol; Err says how. It
	// has been dropped and will not be asked again in this Fetch.
	EventBadPeer
	// EventDeadPeer: Peer did not answer, broke off, or does not hold what it claimed.
	EventDeadPeer
)

// Event is one thing that happened in a Fetch.
type Event struct {
	Kind  EventKind
	Peer  Peer
	Bytes int
	Err   error
}
