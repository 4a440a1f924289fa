package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nt/peer/origin"
)

// join asks the origin, together with whoever asks the same right now.
func (n *Node) join(p *plan) (*Response, error) {
	fl, start := n.flights.enter(n, p)
	if start {
		n.filling.start()
		n.work.Go(func() { n.fly(fl) })
	}
	resp, err := n.await(p, fl)
	if errors.Is(err, errNotForTwo) {
		return n.joinAlone(p.ctx, p.req, p.live)
	}
	return resp, err
}

// joinAlone asks the origin with a plan of its own, as the flight and its readers may still read
// the one there was, and together with nobody.
func (n *Node) joinAlone(ctx context.Context, req Request, live *Live) (*Response, error) {
	again, err := planFor(ctx, req)
	if err != nil {
		return nil, err
	}
	defer again.silence()
	again.collapse = false
	again.live = live
	return n.join(again)
}

// errNotForTwo: the flight's answer is for the reader who started it only.
var errNotForTwo = errors.New("the answer cannot be shared")

// await waits for the flight's answer, and beside it, from the end of patience
// on, for a copy: whichever comes first.
func (n *Node) await(p *plan, fl *flight) (*Response, error) {
	defer fl.leave()
	site := p.url.Origin()
	patience := time.NewTimer(n.outages.patience(site, n.cfg.Now(), n.cfg.Patience))
	defer patience.Stop()
	var s *search
	defer func() { s.stop() }()
	var missing error // why there is no copy
	slow := &origin.Error{Verdict: origin.Down, Reason: "no answer yet"}
	for {
		select {
		case <-fl.answered:
			return n.answered(p, fl, s, missing)
		case <-patience.C:
			s = n.searchFor(p.ctx, p, nil)
		case <-s.ready():
			c, err := s.result()
			s = nil
			if err == nil {
				fl.handOver(c)
				return n.fromCopy(p, c, slow, n.outages.down(site, n.cfg.Now()))
			}
			missing = err
		case <-p.ctx.Done():
			cause := context.Cause(p.ctx)
			if missing != nil && errors.Is(cause, context.DeadlineExceeded) {
				return nil, withOrigin(missing, fmt.Errorf("no answer: %w", cause))
			}
			return nil, cause
		}
	}
}

// answered judges the flight's answer. s is a running search, missing why an
// earlier one found nothing; both may be nil.
func (n *Node) answered(p *plan, fl *flight, s *search, missing error) (*Response, error) {
	status := 0
	if fl.resp != nil {
		status = fl.resp.StatusCode
	}
	switch origin.Classify(status, fl.err) {
	case origin.Answer:
		s.stop()
		n.outages.up(p.url.Origin())
		n.learn(p.url, fl.resp)
		return n.take(p, fl, nil)
	case origin.Refuse:
		s.stop()
		return nil, fl.err
	}
	if fl.err != nil && errors.Is(fl.err, ErrClosed) {
		return nil, ErrClosed
	}
	if version, ok := shedBy(p, fl.resp); ok {
		s.stop()
		return n.shed(p, version)
	}
	why := fl.err
	if why == nil {
		why = origin.StatusError(status)
	}
	since := n.outages.down(p.url.Origin(), n.cfg.Now())
	if s == nil && missing == nil {
		s = n.searchFor(p.ctx, p, nil)
	}
	if s != nil {
		defer s.stop()
		select {
		case <-s.ready():
		case <-p.ctx.Done():
			return nil, tooLate(context.Cause(p.ctx), p, why)
		}
		c, err := s.result()
		if err == nil {
			n.helpLater(p, c, fl.resp)
			return n.fromCopy(p, c, why, since)
		}
		missing = err
	}
	if fl.resp != nil { // better the gateway's own page than ours
		return n.take(p, fl, missing)
	}
	return nil, withOrigin(missing, why)
}

// tooLate is the error of a reader whose time ended while the origin was known to be
// down: that nobody has it in time, not just that time ended.
func tooLate(cause error, p *plan, why error) error {
	if !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return &NoSourceError{URL: p.name(), Tried: []Attempt{{"origin", why}, {"peers", cause}}}
}
