package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"nt/chunker"
	"nt/peer/publisher"
	"nt/peer/trust"
)

// claim returns what the publisher of the plan's URL says of it, nil if no key of it is
// known. search looks for a newer manifest among peers, now and then.
func (n *Node) claim(ctx context.Context, p *plan, search bool) *trust.Claim {
	if n.cfg.Publishers == nil || p.url.Scheme() != "https" || p.proving {
		return nil
	}
	rec, err := n.cfg.Publishers.Get(p.url.Origin())
	if err != nil { // a key may be known there
		return &trust.Claim{Publisher: p.url.Origin(), Why: err.Error()}
	}
	keys, ok := rec.Known(n.cfg.Now())
	if !ok {
		return nil
	}
	covering := keys.Covering(p.url.Path())
	if len(covering) == 0 {
		return nil
	}
	claim := &trust.Claim{Publisher: fmt.Sprintf("%s, key %s", keys.Origin, covering[0].Key.Short()), Why: "nobody has a valid manifest of its site"}
	newest := int64(0)
	for _, k := range covering {
		m := n.manifest(keys, k, rec.Sequences[k.Scope])
		if search && !p.req.NoPeers && !p.own && n.sites.stale(m, n.cfg.Now()) {
			m = n.searchManifest(ctx, keys, k, m, claim)
		}
		if m == nil || m.Sequence < newest {
			continue
		}
		newest, claim.Statement = m.Sequence, nil
		if s, ok := m.Statement(p.url); ok {
			claim.Statement, claim.Publisher = &s, fmt.Sprintf("%s, key %s", keys.Origin, k.Key.Short())
			claim.Why = fmt.Sprintf("its manifest %d says that something else is there", m.Sequence)
		} else {
			claim.Why = fmt.Sprintf("its manifest %d does not list it", m.Sequence)
		}
	}
	if rec.Refused != "" {
		claim.Why += "; what the site showed later was not taken: " + rec.Refused
	}
	return claim
}

// searchManifest looks among peers for a newer manifest than known (nil: none). Nobody's word
// is needed for one: it is signed.
func (n *Node) searchManifest(ctx context.Context, keys publisher.Keys, k publisher.Key, known *manifest, claim *trust.Claim) *manifest {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, keys.Origin+k.Manifest, nil)
	if err != nil {
		return known
	}
	p, err := planFor(ctx, Request{HTTP: req, NoOrigin: true})
	if err != nil {
		return known
	}
	p.proving, p.min = true, trust.Unverified
	seen := map[chunker.ObjectID]bool{}
	accept := func(ctx context.Context, c *found) error {
		id := c.entry.Object()
		switch {
		case known != nil && id == known.object:
			return errors.New("this manifest is known")
		case seen[id] || len(seen) == manifestTries || c.entry.Size() > publisher.MaxManifestBytes:
			return errors.New("not looked at")
		}
		seen[id] = true
		r := c.open(ctx, 0)
		defer r.Close()
		body, err := io.ReadAll(io.LimitReader(r, publisher.MaxManifestBytes+1))
		if err == nil {
			var m publisher.Manifest
			if m, err = n.takeManifest(keys.Origin, keys, body); err == nil && m.Scope != k.Scope {
				err = errors.New("it is of another scope")
			}
		}
		if err != nil {
			claim.Why = err.Error()
			if c.fetch != nil {
				c.fetch.reject()
				n.cfg.Cache.RemoveEntry(c.entry)
			}
		}
		return err
	}
	if c, err := n.find(ctx, p, accept); err == nil {
		c.close()
	}
	rec, err := n.cfg.Publishers.Get(keys.Origin)
	if err != nil {
		return nil
	}
	m := n.manifest(keys, k, rec.Sequences[k.Scope])
	n.sites.searched(m, n.cfg.Now())
	return m
}
