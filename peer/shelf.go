package peer

import (
	"fmt"
	"sync"

	"nt/chunker"
	"nt/transport"
)

// maxShelf bounds how many reasons are remembered to let an object out.
const maxShelf = 4 * maxAnnounced

// Shelf is the part of a store that transports may serve strangers from: what
// the user's rules let out, and what is just coming from peers itself. Everything
// else is there for its own readers; who knows or guesses the name of private
// bytes does not even learn that they are here (security row 34). It implements
// transport.Source and is safe for concurrent use.
type Shelf struct {
	from transport.Source

	mu    sync.RWMutex
	names map[string]chunker.ObjectID // why an object is here
	count map[chunker.ObjectID]int    // for how many reasons
}

// NewShelf returns an empty shelf of the store.
func NewShelf(from transport.Source) *Shelf {
	return &Shelf{from: from, names: make(map[string]chunker.ObjectID), count: make(map[chunker.ObjectID]int)}
}

// Open implements transport.Source.
func (s *Shelf) Open(id chunker.ObjectID) (transport.Object, error) {
	s.mu.RLock()
	n := s.count[id]
	s.mu.RUnlock()
	if n == 0 {
		return nil, fmt.Errorf("%w: not on the shelf", transport.ErrNotFound)
	}
	return s.from.Open(id)
}

// Put lets an object out under a name, in place of what had the name. Beyond
// maxShelf names it does nothing.
func (s *Shelf) Put(name string, id chunker.ObjectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.names[name]; !known && len(s.names) >= maxShelf {
		return
	}
	s.take(name)
	s.names[name] = id
	s.count[id]++
}

// Take takes back what has the name.
func (s *Shelf) Take(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(name)
}

func (s *Shelf) take(name string) {
	id, ok := s.names[name]
	if !ok {
		return
	}
	delete(s.names, name)
	if s.count[id]--; s.count[id] == 0 {
		delete(s.count, id)
	}
}
