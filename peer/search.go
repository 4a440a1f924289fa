package peer

import (
	"context"
	"sync"
)

// search is a running look for a copy. The methods that end it, and ready, work
// on nil too, which stands for none.
type search struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when found or err is set

	mu      sync.Mutex
	found   *found
	err     error
	stopped bool
}

// searchFor starts looking for a copy that accept takes (nil: any). The copy's
// context is ctx, not the search's.
func (n *Node) searchFor(ctx context.Context, p *plan, accept acceptFunc) *search {
	s := &search{done: make(chan struct{})}
	sctx, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	n.work.Go(func() {
		defer close(s.done)
		found, err := n.find(sctx, p, accept)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stopped && found != nil {
			found.close()
			found = nil
		}
		s.found, s.err = found, err
	})
	return s
}

// ready is closed when there is a result; nil, which is never ready, for no search.
func (s *search) ready() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// result returns what was found; the caller closes it. Only after ready.
func (s *search) result() (*found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.found
	s.found = nil
	s.cancel()
	return found, s.err
}

// stop ends the search, frees what it found and nobody took, and returns nil.
func (s *search) stop() *search {
	if s == nil {
		return nil
	}
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.found != nil {
		s.found.close()
		s.found = nil
	}
	return nil
}
