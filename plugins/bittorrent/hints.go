package bittorrent

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"nt/chunker"
	"nt/transport"
)

// maxBuilds is how many hints may wait to be computed; one is at a time, since
// each reads the whole object.
const maxBuilds = 16

var (
	errNotWhole = errors.New("the object is not here as a whole")
	errBusy     = errors.New("too many hints are being computed")
)

// hints computes hints from what a Source holds and remembers the last ones.
type hints struct {
	ctx    context.Context
	source transport.Source
	max    int
	turn   chan struct{} // who holds it computes
	work   sync.WaitGroup

	mu     sync.Mutex
	latest *list.List // of *hint, the last used first
	object map[chunker.ObjectID]*list.Element
	swarm  map[infohash]*list.Element
	builds map[chunker.ObjectID]*build
}

// build is one hint being computed.
type build struct {
	done chan struct{}
	hint *hint
	err  error
}

func newHints(ctx context.Context, max int, source transport.Source) *hints {
	return &hints{
		ctx: ctx, source: source, max: max, turn: make(chan struct{}, 1), latest: list.New(),
		object: make(map[chunker.ObjectID]*list.Element), swarm: make(map[infohash]*list.Element), builds: make(map[chunker.ObjectID]*build),
	}
}

// find returns a hint that is remembered, and remembers it the longer.
func (hs *hints) find(id chunker.ObjectID) (*hint, bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.used(hs.object[id])
}

// findSwarm is find by the infohash.
func (hs *hints) findSwarm(ih infohash) (*hint, bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.used(hs.swarm[ih])
}

func (hs *hints) used(e *list.Element) (*hint, bool) {
	if e == nil {
		return nil, false
	}
	hs.latest.MoveToFront(e)
	return e.Value.(*hint), true
}

// keep remembers a hint and forgets the one not used for longest.
func (hs *hints) keep(nt *hint) {
	e := hs.latest.PushFront(nt)
	hs.object[nt.id], hs.swarm[nt.infohash] = e, e
	if hs.latest.Len() > hs.max {
		old := hs.latest.Remove(hs.latest.Back()).(*hint)
		delete(hs.object, old.id)
		delete(hs.swarm, old.infohash)
	}
}

// get returns the hint of an object that is held as a whole. When the context
// ends first, its error comes back and the computation goes on.
func (hs *hints) get(ctx context.Context, id chunker.ObjectID) (*hint, error) {
	if nt, ok := hs.find(id); ok {
		return nt, nil
	}
	b, err := hs.build(id)
	if err != nil {
		return nil, err
	}
	select {
	case <-b.done:
		return b.hint, b.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// build starts to compute a hint unless that is under way.
func (hs *hints) build(id chunker.ObjectID) (*build, error) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if b := hs.builds[id]; b != nil {
		return b, nil
	}
	if hs.ctx.Err() != nil {
		return nil, errClosed
	}
	if len(hs.builds) >= maxBuilds {
		return nil, errBusy
	}
	b := &build{done: make(chan struct{})}
	hs.builds[id] = b
	hs.work.Go(func() {
		b.hint, b.err = hs.compute(id)
		hs.mu.Lock()
		defer hs.mu.Unlock()
		delete(hs.builds, id)
		if b.err == nil {
			hs.keep(b.hint)
		}
		close(b.done)
	})
	return b, nil
}

// compute reads the whole object.
func (hs *hints) compute(id chunker.ObjectID) (*hint, error) {
	select {
	case hs.turn <- struct{}{}:
		defer func() { <-hs.turn }()
	case <-hs.ctx.Done():
		return nil, errClosed
	}
	obj, err := hs.source.Open(id)
	if err != nil {
		return nil, err
	}
	defer obj.Close()
	h, ok := obj.Header()
	if !ok || !obj.Have().Full(uint32(h.NumChunks())) {
		return nil, errNotWhole
	}
	pieces, buf := newPieceHasher(h.Size), []byte(nil)
	for i := range h.NumChunks() {
		if hs.ctx.Err() != nil {
			return nil, errClosed
		}
		if buf, err = obj.ReadChunk(i, buf); err != nil {
			return nil, fmt.Errorf("reading chunk %d: %w", i, err)
		}
		pieces.chunk(buf)
	}
	return newHint(id, h, pieces.sum()), nil
}

// wait returns when nothing is being computed; the context has ended before.
func (hs *hints) wait() { hs.work.Wait() }
