package http

import (
	"errors"
	"io"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// reply is one 200 being taken in. Nothing of it is believed: lengths follow
// from the header, the header from the ObjectID, hashes from the header, chunks
// from the hashes (security rows 1, 2, 5, 40).
type reply struct {
	id     chunker.ObjectID
	sink   transport.Sink
	asked  span
	sent   span  // as the peer says
	length int64 // Content-Length, -1 if there was none
	note   func(kind transport.EventKind, bytes int)
	there  func(iv nois.Interval) bool // chunks that came by another way; see fetch.arrived
	buf    []byte                      // one chunk, kept from reply to reply
}

// receive reads exactly the bytes that sent stands for, each part proved before
// the next is read, and returns the first chunk after them. Failures of the
// peer are peerFaults; any other error is the sink's.
func (r *reply) receive(body io.Reader) (next int, err error) {
	h, err := r.header(body)
	if err != nil {
		return 0, err
	}
	if cap(r.buf) < h.ChunkSize() {
		r.buf = make([]byte, h.ChunkSize())
	}
	for i := r.sent.first; i < r.sent.end; i++ {
		if i == r.sent.first || i%chunker.ChunksPerMeta == 0 {
			if i > r.sent.first && r.there(nois.Interval{Start: uint32(i), End: uint32(min(i+chunker.ChunksPerMeta, r.sent.end))}) {
				return i, nil // the reply is given up, and asked for again behind what is there
			}
			if err := r.proof(body, h, chunker.MetaOf(i)); err != nil {
				return 0, err
			}
		}
		if err := r.chunk(body, i, h.ChunkLen(i)); err != nil {
			return 0, err
		}
	}
	if h.NumChunks() == 0 {
		return r.asked.end, nil
	}
	return r.sent.end, nil
}

func (r *reply) header(body io.Reader) (chunker.Header, error) {
	var b [chunker.HeaderSize]byte
	if err := r.read(body, b[:]); err != nil {
		return chunker.Header{}, err
	}
	r.note(transport.EventOverhead, len(b))
	h, err := chunker.ParseHeaderFor(r.id, b[:])
	if err != nil {
		return h, badPeer("%w", err)
	}
	if err := r.fits(h); err != nil {
		return h, err
	}
	return h, r.sink.Begin(h)
}

// fits checks what the peer says it sends against what was asked for and the
// object's geometry.
func (r *reply) fits(h chunker.Header) error {
	if n := h.NumChunks(); n == 0 {
		r.sent = span{}
	} else if r.sent.first != r.asked.first || r.sent.empty() || r.sent.end > min(r.asked.end, n) {
		return badPeer("asked for chunks %s of %d, it sent %s", r.asked, n, r.sent)
	}
	if want := replySize(h, r.sent); r.length >= 0 && r.length != want {
		return badPeer("its reply has %d bytes, chunks %s take %d", r.length, r.sent, want)
	}
	return nil
}

func (r *reply) proof(body io.Reader, h chunker.Header, m int) error {
	b := make([]byte, h.MetaProofSize(m))
	if err := r.read(body, b); err != nil {
		return err
	}
	r.note(transport.EventOverhead, len(b))
	p, err := h.ParseMetaProof(m, b)
	if err != nil {
		return badPeer("%w", err)
	}
	return r.blame(r.sink.AddProof(m, p))
}

func (r *reply) chunk(body io.Reader, i, size int) error {
	b := r.buf[:size]
	if err := r.read(body, b); err != nil {
		return err
	}
	if err := r.blame(r.sink.Put(i, b)); err != nil {
		r.note(transport.EventOverhead, size)
		return err
	}
	if r.there(nois.Interval{Start: uint32(i), End: uint32(i) + 1}) {
		r.note(transport.EventOverhead, size)
		return nil
	}
	r.note(transport.EventChunk, size)
	return nil
}

// read fills b or says why the peer did not.
func (r *reply) read(body io.Reader, b []byte) error {
	n, err := io.ReadFull(body, b)
	if err == nil {
		return nil
	}
	r.note(transport.EventOverhead, n)
	return deadPeer("its reply broke off: %w", err)
}

// blame tells the sink's verdict on the peer from a failure of the sink itself.
func (r *reply) blame(err error) error {
	for _, verdict := range []error{chunker.ErrBadProof, chunker.ErrBadChunk} {
		if errors.Is(err, verdict) {
			return badPeer("%w", err)
		}
	}
	return err
}
