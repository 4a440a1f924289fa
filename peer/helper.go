package peer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/chunker/store"
)

const (
	// jumpAhead: a stream of the origin whose next bytes, so many, have all come from peers
	// is given up for a range elsewhere.
	jumpAhead = 64 << 10
	// rangeFailures is how many ranges in a row may fail before the origin is left alone.
	rangeFailures = 4
	// rangeWait is the pause after the first failure; it doubles.
	rangeWait = time.Second
	// maxRetryAfter is the longest Retry-After that is waited for.
	maxRetryAfter = 5 * time.Minute
)

// Why a stream, or the help of an origin, ended.
var (
	errAhead  = errors.New("peers are ahead of the origin")
	errNoHelp = errors.New("the origin gives no ranges of this version")
)

// stream is a body of the origin that is under way.
type stream struct {
	blocks <-chan block
	free   chan<- []byte
	close  func()
}

func newStream(ctx context.Context, resp *http.Response) *stream {
	blocks, free := pump(ctx, resp.Body)
	return &stream{blocks: blocks, free: free, close: func() { resp.Body.Close() }}
}

// helper is an origin that is sick but not dead, as one more neighbour of a fetch: what
// it sends is proved like everybody's bytes and fills the same object. First
// the body that is under way, then, with a strong validator, ranges of what is missing.
// It is asked for one thing at a time, it is not asked before the time it names, and one
// range of it that does not prove is the last.
type helper struct {
	n    *Node
	f    *fetch
	obj  store.Object  // a handle of its own
	req  *http.Request // the reader's
	site string
	mark string // strong validator; "" if no ranges can be asked for
	in   *intake
	ctx  context.Context
	end  context.CancelCauseFunc
	done chan struct{} // closed when nothing is asked any more

	body     *stream   // nil between two requests
	first    bool      // body is the one the reader asked for, without a gap
	whole    bool      // and it has come to its end
	notAsked time.Time // not asked before
	failures int       // in a row
	err      error     // why it ended; after done
}

// help makes the origin a neighbour of the fetch, unless it has one already or is not known
// enough. header is what the origin said with this version, or what the copy's
// witness saw. The caller starts it and closes it.
func (n *Node) help(f *fetch, p *plan, header http.Header) *helper {
	obj, err := n.cfg.Store.Create(f.entry.Object())
	if err != nil {
		return nil
	}
	nb := &helper{n: n, f: f, obj: obj, req: p.req.HTTP.Clone(context.Background()), site: p.url.Origin(), mark: strongValidator(header), done: make(chan struct{})}
	if _, ok := obj.Header(); !ok || !f.setHelper(nb) {
		obj.Close()
		return nil
	}
	nb.ctx, nb.end = context.WithCancelCause(n.ctx)
	return nb
}

// start begins: with what came from off on and the body that goes on behind it, if there is
// one; with ranges, not before a time, if not.
func (nb *helper) start(body *stream, off int64, came []byte, notBefore time.Time) {
	nb.body, nb.first, nb.notAsked = body, body != nil, notBefore
	nb.in = newIntake(nb.obj, nb.header(), off, nb.f.fromOrigin)
	nb.n.work.Go(func() {
		defer close(nb.done)
		if nb.err = nb.in.write(came); nb.err == nil {
			nb.err = nb.run()
		}
		if nb.body != nil && !nb.first { // the first is its flight's
			nb.body.close()
		}
		nb.f.dropHelper(nb.err)
		nb.n.cfg.Log.Debug("the origin helps no more", "object", nb.f.entry.Object(), "why", nb.err)
	})
}

// stop ends the help and waits until nothing of it runs.
func (nb *helper) stop() {
	nb.end(nil)
	<-nb.done
}

// close stops it and gives back what it holds.
func (nb *helper) close() {
	nb.stop()
	nb.obj.Close()
}

// intact reports whether the body the reader asked for is still under way, after stop.
func (nb *helper) intact() bool {
	return nb.first && nb.body != nil && !errors.Is(nb.err, errNotTheObject)
}

// header is that of the object.
func (nb *helper) header() chunker.Header {
	h, _ := nb.obj.Header()
	return h
}

// run reads and asks until nothing is missing or the origin is of no use.
func (nb *helper) run() error {
	for {
		if nb.body != nil {
			err := nb.read()
			if nb.ctx.Err() != nil || errors.Is(err, errNotTheObject) || nb.obj.Complete() {
				return err
			}
			if nb.whole = err == nil && nb.first; nb.whole {
				return nb.linger(nil)
			}
			nb.body.close()
			nb.body, nb.first = nil, false
			if err != nil && !errors.Is(err, errAhead) {
				nb.failed()
			}
		}
		if nb.mark == "" || nb.failures >= rangeFailures {
			return nb.linger(errNoHelp)
		}
		if err := nb.await(); err != nil {
			return err
		}
		if err := nb.ask(); err != nil {
			return nb.linger(err)
		}
	}
}

// linger brings in what still waits for a proof, and returns why when nothing does any more.
func (nb *helper) linger(why error) error {
	for !errors.Is(why, errNotTheObject) {
		changed := nb.obj.Changed()
		if err := nb.in.settle(); err != nil {
			return err
		}
		if len(nb.in.pending) == 0 {
			break
		}
		select {
		case <-changed:
		case <-nb.ctx.Done():
			return context.Cause(nb.ctx)
		}
	}
	return why
}

// failed puts the next request off, twice as long as the last time.
func (nb *helper) failed() {
	wait := rangeWait << min(nb.failures, 6)
	nb.failures++
	if at := time.Now().Add(wait); at.After(nb.notAsked) {
		nb.notAsked = at
	}
}

// await waits until the origin may be asked.
func (nb *helper) await() error {
	t := time.NewTimer(time.Until(nb.notAsked))
	defer t.Stop()
	for {
		changed := nb.obj.Changed()
		if err := nb.in.settle(); err != nil {
			return err
		}
		select {
		case <-t.C:
			return nil
		case <-changed:
		case <-nb.ctx.Done():
			return context.Cause(nb.ctx)
		}
	}
}

// read takes the stream in until it ends: nil at its end, errAhead when it is of no more use.
func (nb *helper) read() error {
	for {
		changed := nb.obj.Changed()
		if err := nb.in.settle(); err != nil {
			return err
		}
		if nb.ahead() {
			return errAhead
		}
		blocks := nb.body.blocks
		if nb.in.full() {
			blocks = nil
		}
		select {
		case b := <-blocks:
			if err := nb.in.write(b.b); err != nil {
				return err
			}
			if b.err != nil {
				return ended(b.err)
			}
			if len(b.b) > 0 {
				nb.failures = 0
			}
			nb.body.free <- b.b[:cap(b.b)]
		case <-changed:
		case <-nb.ctx.Done():
			return context.Cause(nb.ctx)
		}
	}
}

// ahead reports whether the stream has nothing more to bring, or not soon.
func (nb *helper) ahead() bool {
	if nb.obj.Complete() {
		return true
	}
	if nb.mark == "" {
		return false
	}
	h := nb.in.header
	next := nb.in.chunk()
	end := min(next+max(jumpAhead/h.ChunkSize(), 1), h.NumChunks())
	return next < end && nb.obj.Have().ContainsRange(nois.Interval{Start: uint32(next), End: uint32(end)})
}

// aim chooses the next range: the second half of the longest gap, for peers that go from the front
// meet the origin only when little is left. It is empty if nothing is missing.
func aim(have *nois.Set, chunks int) (first, end int) {
	best := nois.Interval{}
	for at := uint32(0); ; {
		gap, ok := have.FirstGap(at, uint32(chunks))
		if !ok {
			break
		}
		if gap.End-gap.Start > best.End-best.Start {
			best = gap
		}
		at = gap.End
	}
	n := int(best.End - best.Start)
	if n > chunker.ChunksPerMeta {
		return int(best.Start) + n/2, int(best.End)
	}
	return int(best.Start), int(best.End)
}
