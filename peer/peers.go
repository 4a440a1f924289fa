package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/origin"
	"nt/peer/trust"
)

// lookupTimeout bounds one question to the locator.
const lookupTimeout = 5 * time.Second

// findPeers asks the locator, weighs what witnesses say, and begins to fetch the
// best content that is believable enough. A copy counts as found when its first
// bytes are here and proved. It returns what was tried when there is none.
func (n *Node) findPeers(ctx context.Context, p *plan, accept acceptFunc) (*found, []Attempt, error) {
	key := p.url.Key()
	known, err := n.lookupSettled(ctx, key)
	if err != nil {
		return nil, []Attempt{{"locator", err}}, nil
	}
	n.gossip(known, n.policy().Notaries, known.Evidence)
	policy := n.policy()
	policy.Claim = n.claim(ctx, p, true)
	candidates := trust.Judge(n.cfg.Now(), key, append(n.foreign(known.Evidence), n.ownWord(p)...), known.FirstOutage, policy)
	if len(candidates) == 0 {
		return nil, []Attempt{{"peers", nobodyYet(known)}}, nil
	}
	var tried []Attempt
	low := &UntrustedError{URL: p.name(), Need: p.min, Liars: n.said.proofs(known.Evidence)}
	for _, c := range candidates {
		if !p.readable(c.Statement.Header, c.Statement.Encoding()) {
			tried = append(tried, Attempt{"peers", fmt.Errorf("the copy is encoded with %.20q", c.Statement.Encoding())})
			continue
		}
		pin := n.admit(p, &c, low, policy.Claim)
		if pin == nil && p.req.Object != nil {
			tried = append(tried, Attempt{"peers", errors.New("they have another version")})
		}
		if pin == nil {
			continue
		}
		got, err := n.startFetch(ctx, p, c, pin, known, accept)
		var risky *riskyError
		switch {
		case err == nil:
			return got, nil, nil
		case errors.As(err, &risky):
			low.Found, low.Risky = append(low.Found, c), true
		case pin.otherwise:
			low.Found = append(low.Found, c)
		case errors.Is(err, errNoHolder):
			tried = append(tried, Attempt{"peers", nobodyYet(known)})
		default:
			tried = append(tried, Attempt{"peers", err})
		}
	}
	if len(low.Found) > 0 && allMissing(tried) {
		return nil, nil, low
	}
	return nil, tried, nil
}

// allMissing reports whether nothing that was believable enough was to be had anywhere: then
// what there is, and was refused, says more.
func allMissing(tried []Attempt) bool {
	return !slices.ContainsFunc(tried, func(a Attempt) bool { return !errors.Is(a.Err, errNoHolder) })
}

// foreign leaves out what this node itself said at the locator: that lies in its
// cache, and whoever hands back an old word of ours could roll us back to it.
func (n *Node) foreign(evidence []trust.Evidence) []trust.Evidence {
	own := resource.WitnessKey(n.id())
	return slices.DeleteFunc(slices.Clone(evidence), func(e trust.Evidence) bool { return e.Statement.Witness == own })
}

// ownWord is what this node saw itself at the plan's URL and whose bytes it has lost since.
func (n *Node) ownWord(p *plan) []trust.Evidence {
	if n.cfg.Cache == nil {
		return nil
	}
	var out []trust.Evidence
	for _, e := range n.cfg.Cache.Get(p.url) {
		if e.Level == trust.Self && !e.Invalid {
			out = append(out, trust.Evidence{Statement: e.Statement})
		}
	}
	return out
}

// policy is whom the user trusts, with the notaries known by now.
func (n *Node) policy() trust.Policy {
	p := n.cfg.Trust
	if n.cfg.Notaries != nil {
		all := n.cfg.Notaries()
		maps.Copy(all, p.Notaries)
		p.Notaries = all
	}
	believed := make(map[resource.WitnessKey]string, len(p.Notaries))
	for key, name := range p.Notaries {
		if n.said.proof(key) == "" {
			believed[key] = name
		}
	}
	p.Notaries = believed
	return p
}

func (n *Node) lookup(ctx context.Context, key resource.Key) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return n.cfg.Locator.Lookup(ctx, key)
}

// startFetch begins to fetch one candidate and waits for its first bytes.
func (n *Node) startFetch(ctx context.Context, p *plan, cand trust.Candidate, pin *pin, known Found, accept acceptFunc) (*found, error) {
	u := p.url
	c := &found{n: n, p: p, level: cand.Level, pin: pin, disputed: cand.Dissent || cand.Disputed, source: SourcePeers, entry: cache.Entry{
		URL: u.String(), Statement: cand.Statement, Level: cand.Level, Witnesses: capped(cand.Witnesses), StoredAt: n.cfg.Now().Unix(),
	}}
	if p.req.HTTP.Method == http.MethodHead {
		return c, nil
	}
	obj, err := n.cfg.Store.Create(cand.Statement.Object)
	if err != nil {
		return nil, fmt.Errorf("making room for the copy: %w", err)
	}
	c.obj = obj
	if h, ok := known.Headers[cand.Statement.Object]; ok {
		if err := obj.Begin(h); err != nil { // then peers tell, as they do without
			n.cfg.Log.Debug("a locator's header is not taken", "object", cand.Statement.Object, "err", err)
		}
	}
	if c.fetch, err = n.fetches.enter(n, c.entry, holdersOf(known, cand.Statement), p.req.Limit); err == nil {
		err = c.begin(ctx)
	}
	if err == nil {
		err = c.checkWhole(ctx)
	}
	if err == nil && accept != nil {
		err = accept(ctx, c)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// begin waits until the first chunk is here and checks what the header tells.
func (c *found) begin(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.fetch.failed, func() { cancel(context.Cause(c.fetch.failed)) })()
	for {
		changed := c.obj.Changed()
		h, ok := c.obj.Header()
		if ok && h.Size != c.entry.Size() {
			return fmt.Errorf("the witness says %d bytes, the object has %d", c.entry.Size(), h.Size)
		}
		if ok {
			if err := c.checkPin(h.SHA256); err != nil {
				c.fetch.reject()
				return err
			}
		}
		if ok && h.NumChunks() == 0 {
			return nil
		}
		if ok {
			if err := c.obj.Wait(ctx, 0); err != nil {
				return err
			}
			return c.checkBeginning()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refetch asks peers for an object that was whole in the cache and is damaged now.
func (n *Node) refetch(ctx context.Context, c *found) (*fetch, error) {
	known, err := n.lookup(ctx, c.p.url.Key())
	if err != nil {
		return nil, err
	}
	return n.fetches.enter(n, c.entry, holdersOf(known, c.entry.Statement), c.p.req.Limit)
}

// holdersOf returns the peers that claim the statement's object.
func holdersOf(known Found, s resource.Statement) []Holder {
	var out []Holder
	for _, h := range known.Holders {
		if h.Object == s.Object {
			out = append(out, h)
		}
	}
	return out
}

// capped keeps as many witnesses as a cache entry may name.
func capped(who []string) []string {
	out := who[:min(len(who), cache.MaxWitnesses)]
	if len(out) == 0 {
		return nil
	}
	return out
}

// shortReason is the origin's part of a note.
func shortReason(err error) string {
	var oe *origin.Error
	switch {
	case err == nil, errors.Is(err, errNoOrigin), errors.Is(err, ErrOnlyIfCached):
		return ""
	case errors.As(err, &oe):
		return oe.Reason
	case errors.Is(err, errShed):
		return err.Error()
	}
	return "down"
}
