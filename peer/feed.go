package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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
	source, err := n.bring(fl, newStream(fl.ctx, fl.resp), n.cfg.StallTimeout)
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

// fits reports whether what has come is as long as was announced.
func (f *fill) fits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size < 0 || f.avail == f.size
}
