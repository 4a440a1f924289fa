package bittorrent

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// sinkStore is the storage of a Fetch: what the BitTorrent client writes goes to
// the Sink, chunk by chunk, and a piece is complete when its chunks are there.
type sinkStore struct {
	f      *fetch
	header chunker.Header
	reads  func(b []byte, off int64) (int, error)

	mu   sync.Mutex
	from map[int64]*link // who sent the block at that offset, until it is written
}

func newSinkStore(f *fetch, h chunker.Header) *sinkStore {
	return &sinkStore{f: f, header: h, from: make(map[int64]*link)}
}

// received remembers who sent a block. The client writes it next.
func (s *sinkStore) received(e torrent.ReceivedUsefulDataEvent) {
	l, ok := e.Peer.RemoteAddr.(*link)
	if !ok {
		return
	}
	off := int64(e.Message.Index)*pieceLength(s.header.Size) + int64(e.Message.Begin)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from[off] = l
}

func (s *sinkStore) sender(off int64) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.from[off]
	delete(s.from, off)
	return l
}

func (s *sinkStore) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{Piece: func(p metainfo.Piece) storage.PieceImpl {
		return &sinkPiece{s: s, offset: p.Offset(), length: p.Length(), hash: p}
	}}, nil
}

// write gives a block to the Sink. A block the Sink refuses costs its sender its place.
func (s *sinkStore) write(b []byte, off int64) error {
	if !s.f.enter() {
		return errClosed
	}
	defer s.f.leave()
	l, cs := s.sender(off), int64(s.header.ChunkSize())
	if off%cs != 0 {
		return s.f.blame(l, fmt.Errorf("a block at %d, which is no chunk's beginning", off))
	}
	for len(b) > 0 {
		i := int(off / cs)
		n := s.header.ChunkLen(i)
		if n == 0 || n > len(b) {
			return s.f.blame(l, fmt.Errorf("a block of %d bytes at %d, which are no whole chunks", len(b), off))
		}
		if err := s.f.put(l, i, b[:n]); err != nil {
			return err
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// chunks returns the chunks of a run of bytes.
func (s *sinkStore) chunks(off, length int64) nois.Interval {
	cs := int64(s.header.ChunkSize())
	return nois.Interval{Start: uint32(off / cs), End: uint32((off + length + cs - 1) / cs)}
}

// sinkPiece is one piece of it.
type sinkPiece struct {
	s              *sinkStore
	offset, length int64
	hash           metainfo.Piece
}

func (p *sinkPiece) WriteAt(b []byte, off int64) (int, error) {
	if err := p.s.write(b, p.offset+off); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReadAt serves others while the Fetch runs.
func (p *sinkPiece) ReadAt(b []byte, off int64) (int, error) {
	if p.s.reads == nil {
		return 0, errors.New("this node serves nothing")
	}
	return p.s.reads(b, p.offset+off)
}

func (p *sinkPiece) MarkComplete() error    { return nil }
func (p *sinkPiece) MarkNotComplete() error { return nil }

func (p *sinkPiece) Completion() storage.Completion {
	return storage.Completion{Ok: true, Complete: p.s.f.holds(p.s.chunks(p.offset, p.length))}
}

// SelfHash stands for hashing the piece: our proofs have decided already. An
// error says "not complete" without blaming whoever sent a part of it.
func (p *sinkPiece) SelfHash() (metainfo.Hash, error) {
	if !p.s.f.holds(p.s.chunks(p.offset, p.length)) {
		return metainfo.Hash{}, errors.New("not all chunks of the piece are there")
	}
	return p.hash.V1Hash().Unwrap(), nil
}

// put gives a chunk to the Sink and tells of it. The door is held.
func (f *fetch) put(l *link, i int, data []byte) error {
	err := f.req.Sink.Put(i, data)
	switch {
	case errors.Is(err, chunker.ErrBadChunk):
		return f.blame(l, err)
	case errors.Is(err, chunker.ErrNoProof):
		return err // asked for too early; not the peer's fault
	case err != nil:
		f.fail(fmt.Errorf("storing %s: %w", f.req.Object, err))
		return err
	}
	kind := transport.EventOverhead
	if f.keep(i) {
		kind = transport.EventChunk
	}
	if l != nil {
		l.got(len(data))
		f.observe(transport.Event{Kind: kind, Peer: l.peer, Bytes: len(data)})
	}
	return nil
}
