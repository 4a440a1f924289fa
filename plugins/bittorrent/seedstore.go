package bittorrent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"

	"nt/chunker"
	"nt/transport"
)

// content reads an object by offsets, from chunks that are proved on every read.
type content struct {
	header chunker.Header
	broken func(error) // called when a read has failed
	silent atomic.Bool // nothing may leave for a peer any more

	mu     sync.Mutex
	obj    transport.Object // nil once closed
	users  int
	closed bool
}

// give reads for the BitTorrent client, which is never told that a read failed: when its
// torrent closes before it has looked at the error, it panics (anacrolix/torrent before
// v1.62.0). Instead no connection of the swarm sends any more, so that what the client
// is given goes nowhere, and the swarm's owner hears of it.
func (c *content) give(b []byte, off int64) (int, error) {
	if n, err := c.readAt(b, off); err != nil {
		clear(b[n:])
		if !c.silent.Swap(true) && !errors.Is(err, errClosed) {
			c.broken(err)
		}
	}
	return len(b), nil
}

// silenced reports whether a connection may not send any more. Nil is a swarm that
// serves nothing.
func (c *content) silenced() bool { return c != nil && c.silent.Load() }

// readAt reads len(b) bytes from off on, or says why it cannot.
func (c *content) readAt(b []byte, off int64) (n int, err error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.leave()
	cs := int64(c.header.ChunkSize())
	buf := make([]byte, 0, cs)
	for n < len(b) {
		at := off + int64(n)
		if at >= c.header.Size {
			return n, io.EOF
		}
		if buf, err = c.obj.ReadChunk(int(at/cs), buf); err != nil {
			return n, err
		}
		if at%cs >= int64(len(buf)) {
			return n, io.ErrUnexpectedEOF
		}
		n += copy(b[n:], buf[at%cs:])
	}
	return n, nil
}

func (c *content) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.users++
	return nil
}

func (c *content) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users--; c.closed && c.users == 0 {
		c.obj.Close()
	}
}

// close lets the object go as soon as nobody reads it any more.
func (c *content) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if c.closed = true; c.users == 0 {
		c.obj.Close()
	}
}

// seedStore is the storage of an object that is held as a whole.
type seedStore struct{ content *content }

func (s seedStore) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{Piece: func(p metainfo.Piece) storage.PieceImpl { return seedPiece{s.content, p.Offset()} }}, nil
}

// seedPiece is one piece of it: always complete, never written.
type seedPiece struct {
	content *content
	offset  int64
}

func (p seedPiece) ReadAt(b []byte, off int64) (int, error) { return p.content.give(b, p.offset+off) }

func (p seedPiece) WriteAt([]byte, int64) (int, error) {
	return 0, fmt.Errorf("an object that is seeded is complete")
}

func (p seedPiece) MarkComplete() error    { return nil }
func (p seedPiece) MarkNotComplete() error { return nil }

func (p seedPiece) Completion() storage.Completion {
	return storage.Completion{Ok: true, Complete: true}
}
