package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// wokeUp: an origin that sent more than this while a copy was looked for trickles no more.
const wokeUp = 1 << 20

// bring feeds from the origin, and from a copy when the origin breaks off; when it pauses or
// trickles for as long as patience, a copy is looked for, and then both bring what they can. It returns
// the last source.
func (n *Node) bring(fl *flight, body *stream, patience time.Duration) (Source, error) {
	pause := patience
	stall := time.NewTimer(pause)
	defer stall.Stop()
	slow := trickle{slow: n.cfg.SlowRate, span: patience}
	trickles := false
	var s *search
	defer func() { s.stop() }()
	for since := time.Now(); ; {
		select {
		case b := <-body.blocks:
			waited := time.Since(since)
			if len(b.b) > 0 {
				if !trickles {
					s = s.stop()
				}
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
			body.free <- b.b[:cap(b.b)]
			pause = patience
			stall.Reset(pause)
			if slow.note(waited, int64(len(b.b)), fl.fill.left()) && s == nil && fl.fill.whole() != nil {
				trickles = true
				slow.span *= 2 // if nobody has it: look again, later and later
				s = n.searchFor(fl.ctx, fl.plan, n.sameBytes(fl))
			}
			since = time.Now()
		case <-stall.C:
			if s == nil {
				s = n.searchFor(fl.ctx, fl.plan, n.sameBytes(fl))
			}
		case <-s.ready():
			found, err := s.result()
			if avail, _ := fl.fill.state(); err == nil && avail-found.agreed <= wokeUp {
				s = nil
				return n.race(fl, found, body, patience)
			}
			if err == nil {
				found.close()
			}
			s = s.stop() // nobody has it yet, and the origin may wake up
			trickles = false
			pause *= 2
			stall.Reset(pause)
		case <-fl.ctx.Done():
			return SourceOrigin, context.Cause(fl.ctx)
		}
	}
}

// left is how many bytes are to come, -1 if that is not known.
func (f *fill) left() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.size < 0 {
		return -1
	}
	return f.size - f.avail
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
	return n.race(fl, found, nil, 0)
}

// race feeds from a copy that is coming from peers while the origin, whose body stands where the
// feeding does (nil: it was cut), goes on filling the same object. When the copy
// fails and the body is still there, that is fed again as if nothing had been.
func (n *Node) race(fl *flight, c *found, body *stream, patience time.Duration) (Source, error) {
	defer c.close()
	var nb *helper
	if c.fetch != nil {
		nb = n.help(c.fetch, fl.plan, fl.resp.Header)
	}
	if nb == nil && body != nil && c.fetch.hasFailed() {
		return n.bring(fl, body, 2*patience)
	}
	if nb == nil {
		return n.carryOn(fl, c)
	}
	avail, _ := fl.fill.state()
	at, came := fl.base+c.agreed, fl.beginning(avail-c.agreed, avail)
	if int64(len(came)) < avail-c.agreed {
		at, came = fl.base+avail, nil
	}
	nb.start(body, at, came, time.Now().Add(rangeWait))
	defer nb.close()
	source, err := n.carryOn(fl, c)
	nb.stop()
	if err == nil || fl.ctx.Err() != nil || !nb.intact() || errors.Is(err, errPut) {
		return source, err
	}
	n.cfg.Log.Debug("back to the origin's body", "url", fl.plan.url, "err", err)
	fl.fill.switchTo(SourceOrigin, nil)
	avail, _ = fl.fill.state()
	if err := nb.in.from(fl.base+avail, func(b []byte) error { return fl.fill.put(fl.ctx, b) }); err != nil {
		return SourceOrigin, err
	}
	if nb.whole {
		if !fl.fill.fits() {
			return SourceOrigin, io.ErrUnexpectedEOF
		}
		return SourceOrigin, nil
	}
	return n.bring(fl, body, 2*patience)
}

// errPut: the fill, not the copy, ended the feeding.
var errPut = errors.New("the reader's side")

// carryOn feeds the rest from a copy that has been compared with what came.
func (n *Node) carryOn(fl *flight, c *found) (Source, error) {
	f := fl.fill
	avail, _ := f.state()
	rest := c.entry.Size() - fl.base - avail
	if f.size >= 0 {
		rest = f.size - avail
	}
	if err := fl.agrees(c, avail); err != nil {
		return SourceOrigin, err
	}
	f.switchTo(c.source, func(off, n int64) int64 { return c.fetch.split(fl.base+off, n) })
	r := c.open(fl.ctx, fl.base+avail)
	defer r.Close()
	buf := make([]byte, fillBlock)
	for rest > 0 {
		m, err := r.Read(buf[:min(rest, fillBlock)])
		if m > 0 {
			rest -= int64(m)
			if err := f.put(fl.ctx, buf[:m]); err != nil {
				return c.source, fmt.Errorf("%w: %w", errPut, err)
			}
		}
		if err != nil && rest > 0 {
			return c.source, fmt.Errorf("%w; the copy that continued it, too: %w", errCut, err)
		}
	}
	f.stored(c.entry.Object())
	return c.source, nil
}

// agrees compares what came since the copy was found; only a trickling body does not rest meanwhile.
func (fl *flight) agrees(c *found, avail int64) error {
	if c.agreed >= avail {
		return nil
	}
	came := fl.beginning(avail-c.agreed, avail)
	r := c.open(fl.ctx, fl.base+c.agreed)
	defer r.Close()
	copied := make([]byte, avail-c.agreed)
	if _, err := io.ReadFull(r, copied); err != nil {
		return fmt.Errorf("comparing a copy: %w", err)
	}
	if !bytes.Equal(came, copied) {
		return errOtherBytes
	}
	return nil
}

// beginning returns the n bytes of the body before end, nil if they are not there any more.
func (fl *flight) beginning(n, end int64) []byte {
	spool := fl.fill.whole()
	if spool == nil || n > end {
		return nil
	}
	b := make([]byte, n)
	if m, err := spool.ReadAt(b, end-n); int64(m) < n && err != nil {
		return nil
	}
	return b
}
