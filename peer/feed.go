package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"
)

// errCut is wrapped by how a body ended that broke off.
var errCut = errors.New("the origin's body broke off")

// block is one step of a body.
type block struct {
	b   []byte
	err error
}

// pump reads body in a goroutine of its own, so that a stall can be noticed
// while a read hangs. Blocks must be given back through free. It ends with the
// body, or soon after ctx.
func pump(ctx context.Context, body io.Reader) (blocks <-chan block, free chan<- []byte) {
	out, back := make(chan block), make(chan []byte, 2)
	back <- make([]byte, fillBlock)
	back <- make([]byte, fillBlock)
	go func() {
		for {
			var buf []byte
			select {
			case buf = <-back:
			case <-ctx.Done():
				return
			}
			n, err := body.Read(buf)
			select {
			case out <- block{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out, back
}

// feed brings the flight's body into its fill until it is whole, or lost, and
// then keeps the copy.
func (n *Node) feed(fl *flight) {
	defer fl.cancel(nil)
	defer fl.resp.Body.Close()
	f := fl.fill
	select { // without a spool nobody can come later
	case <-fl.boarded:
	case <-fl.ctx.Done():
	}
	f.giveUpUnread()
	source, err := n.bring(fl)
	n.flights.drop(fl)
	f.mu.Lock()
	if err == nil && source == SourceOrigin {
		f.trailer = maps.Clone(fl.resp.Trailer)
	}
	f.mu.Unlock()
	switch {
	case err != nil && errors.Is(err, errAbandoned):
		f.finish(err)
	case err != nil:
		n.cfg.Log.Debug("body lost", "url", fl.plan.url, "err", err)
		f.finish(fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err))
	default:
		f.finish(io.EOF)
		if source == SourceOrigin {
			n.keepOwn(fl)
		}
	}
	n.filling.end()
	if f.spool != nil {
		f.drained(n.ctx)
		f.spool.Discard(err)
	}
}

// bring feeds from the origin, and from a copy when the origin breaks off, or
// pauses for so long that a copy is found first. It returns the last source.
func (n *Node) bring(fl *flight) (Source, error) {
	blocks, free := pump(fl.ctx, fl.resp.Body)
	pause := n.cfg.StallTimeout
	stall := time.NewTimer(pause)
	defer stall.Stop()
	var s *search
	defer func() { s.stop() }()
	for {
		select {
		case b := <-blocks:
			if len(b.b) > 0 {
				s = s.stop()
				if err := fl.fill.put(fl.ctx, b.b); err != nil {
					return SourceOrigin, err
				}
			}
			if b.err == io.EOF && fl.fill.fits() {
				return SourceOrigin, nil
			}
			if b.err != nil {
				return n.mend(fl, s, b.err)
			}
			free <- b.b[:cap(b.b)]
			pause = n.cfg.StallTimeout
			stall.Reset(pause)
		case <-stall.C:
			if s == nil {
				s = n.searchFor(fl.ctx, fl.plan, n.sameBytes(fl))
			}
		case <-s.ready():
			if found, err := s.result(); err == nil {
				s = nil
				return n.carryOn(fl, found)
			}
			s = s.stop() // nobody has it yet, and the origin may wake up
			pause *= 2
			stall.Reset(pause)
		case <-fl.ctx.Done():
			return SourceOrigin, context.Cause(fl.ctx)
		}
	}
}

// mend looks for a copy that continues a body which broke off.
func (n *Node) mend(fl *flight, s *search, cause error) (Source, error) {
	if fl.ctx.Err() != nil {
		return SourceOrigin, context.Cause(fl.ctx)
	}
	cause = fmt.Errorf("%w: %w", errCut, cause)
	n.outages.down(fl.plan.url.Origin(), n.cfg.Now())
	if s == nil {
		s = n.searchFor(fl.ctx, fl.plan, n.sameBytes(fl))
	}
	defer s.stop()
	select {
	case <-s.ready():
	case <-fl.ctx.Done():
		return SourceOrigin, context.Cause(fl.ctx)
	}
	found, err := s.result()
	if err != nil {
		return SourceOrigin, fmt.Errorf("%w; and no copy continues it: %w", cause, err)
	}
	return n.carryOn(fl, found)
}

// carryOn feeds the rest from a copy that has been compared with what came.
func (n *Node) carryOn(fl *flight, c *found) (Source, error) {
	defer c.close()
	f := fl.fill
	avail, _ := f.state()
	rest := c.entry.Size() - fl.base - avail
	if f.size >= 0 {
		rest = f.size - avail
	}
	f.switchTo(c.source)
	r := c.open(fl.ctx, fl.base+avail)
	defer r.Close()
	buf := make([]byte, fillBlock)
	for rest > 0 {
		m, err := r.Read(buf[:min(rest, fillBlock)])
		if m > 0 {
			rest -= int64(m)
			if err := f.put(fl.ctx, buf[:m]); err != nil {
				return c.source, err
			}
		}
		if err != nil && rest > 0 {
			return c.source, fmt.Errorf("%w; the copy that continued it, too: %w", errCut, err)
		}
	}
	f.stored(c.entry.Object())
	return c.source, nil
}

// fits reports whether what has come is as long as was announced.
func (f *fill) fits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size < 0 || f.avail == f.size
}
