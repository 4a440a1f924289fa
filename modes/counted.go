package modes

import (
	"context"
	"io"
	"maps"
	"sync"

	"nt/peer"
)

// counted is a node that counts what it delivers.
type counted struct {
	*peer.Node
	sums *sums
}

// Do implements proxy.Doer.
func (c counted) Do(ctx context.Context, req peer.Request) (*peer.Response, error) {
	resp, err := c.Node.Do(ctx, req)
	if err == nil {
		resp.Body = &summedBody{ReadCloser: resp.Body, live: resp.Provenance.Live, sums: c.sums}
	}
	return resp, err
}

// sums counts delivered bytes by where they came from.
type sums struct {
	mu    sync.Mutex
	bytes map[string]int64
}

func newSums() *sums { return &sums{bytes: map[string]int64{}} }

func (s *sums) add(by map[peer.Source]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for source, n := range by {
		s.bytes[string(source)] += n
	}
}

func (s *sums) snapshot() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.bytes)
}

// summedBody adds to the sums when it is closed.
type summedBody struct {
	io.ReadCloser
	live *peer.Live
	sums *sums
	once sync.Once
}

// Close implements io.Closer.
func (b *summedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.sums.add(b.live.Snapshot().BytesBySource) })
	return err
}
