package peer

import (
	"context"
	"sync"
)

// gauge counts what is under way and lets somebody wait for none. The zero value is ready.
type gauge struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n returns to 0; nil while it is 0
}

func (g *gauge) start() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n++; g.n == 1 {
		g.none = make(chan struct{})
	}
}

func (g *gauge) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		close(g.none)
		g.none = nil
	}
}

func (g *gauge) wait(ctx context.Context) error {
	g.mu.Lock()
	none := g.none
	g.mu.Unlock()
	if none == nil {
		return nil
	}
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
