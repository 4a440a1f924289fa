package peer

import (
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"nt/chunker"
	"nt/peer/trust"
)

// Source says where the bytes of a response come from.
type Source string

// The sources, in the order in which they are asked (N6).
const (
	SourceOrigin Source = "origin"
	SourceCache  Source = "cache"
	SourcePeers  Source = "peers"
)

// The fields that mark a copy. A response of the origin carries none of them.
const (
	FieldSource   = "Nt-Source"   // cache or peers
	FieldTrust    = "Nt-Trust"    // the level
	FieldObserved = "Nt-Observed" // when the copy was seen at the origin, RFC 3339
	FieldNote     = "Nt-Note"     // trust.Describe: one line for people
)

// Response is an answer to a Request. Close Body, always.
type Response struct {
	Status int
	Header http.Header // end-to-end fields only
	// Body ends with io.EOF only when it is whole; a body that broke off and could
	// not be continued ends with an error that wraps io.ErrUnexpectedEOF. After an
	// upgrade (101) it is an io.ReadWriteCloser.
	Body          io.ReadCloser
	ContentLength int64 // -1 if not known
	// Trailer's keys are there before the body is read, the values after it has ended.
	Trailer    http.Header
	Proto      string // of the origin's answer: "HTTP/2.0"; "" for a copy
	Provenance Provenance
}

// Provenance says where a Response came from and how believable it is.
type Provenance struct {
	Source Source
	URL    string // canonical, as used for copies
	// Level, Witnesses, ObservedAt, Disputed and Object describe a copy; for the
	// origin's own answer they are zero.
	Level      trust.Level
	Witnesses  []string
	ObservedAt time.Time
	Disputed   bool
	Object     chunker.ObjectID
	// OriginError is why the origin was not used, nil if it was.
	OriginError error
	// CopyError is why no copy stood in for a gateway's error (502, 503, 504), which
	// is then the answer; nil otherwise.
	CopyError error
	// FreshUntil is until when the copy may be given again without asking anybody; zero
	// for anything but a fresh copy that was given instead of asking the origin.
	FreshUntil time.Time
	// DownSince is when this node first found the origin down, zero if it is not.
	DownSince time.Time
	// Live counts on while the body is read. Never nil.
	Live *Live
}

// Progress is a point in the life of a transfer.
type Progress struct {
	// BytesBySource counts the bytes of the body handed to this reader.
	BytesBySource map[Source]int64
	// Overhead counts bytes to and from peers that were not new content.
	Overhead int64
	// PeersMet is how many peers sent something, ProofsFailed how many sent
	// wrong bytes, PeersFailed how many did not deliver.
	PeersMet, ProofsFailed, PeersFailed int
	// BytesByPeer counts the content that each peer sent, by "KEY@ADDRESS". Several readers of
	// one fetch see the same figures.
	BytesByPeer map[string]int64
	// BytesByTransport counts the same content by the name of the transport that brought it.
	BytesByTransport map[string]int64
	// Continued: the origin's body broke off and a copy continued it.
	Continued bool
	// Object is the name of the bytes once they are stored; zero before.
	Object chunker.ObjectID
}

// Live is a Progress that is counting. It is safe for concurrent use.
type Live struct {
	mu sync.Mutex
	p  Progress
}

// Snapshot returns the figures of now.
func (l *Live) Snapshot() Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.p
	p.BytesBySource, p.BytesByPeer, p.BytesByTransport = maps.Clone(p.BytesBySource), maps.Clone(p.BytesByPeer), maps.Clone(p.BytesByTransport)
	return p
}

func (l *Live) add(s Source, n int) {
	if n == 0 {
		return
	}
	l.update(func(p *Progress) {
		if p.BytesBySource == nil {
			p.BytesBySource = make(map[Source]int64, 2)
		}
		p.BytesBySource[s] += int64(n)
	})
}

func (l *Live) update(change func(*Progress)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.p)
}
