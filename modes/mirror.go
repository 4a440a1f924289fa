package modes

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer"
	"nt/peer/trust"
)

// mirrorRescan is how often the site is asked whether the page has changed.
const mirrorRescan = 5 * time.Minute

// mirror is nt seed URL: a page of somebody else's that is fetched, kept and announced.
type mirror struct {
	*app
	node  *node
	url   *url.URL // after redirects
	tags  http.Header
	level trust.Level
}

// mirror runs nt seed URL until a signal.
func (c *seedCmd) mirror(a *app, key ed25519.PrivateKey, cache string) error {
	for _, f := range []struct {
		name string
		set  bool
	}{{"--http-addr", c.HTTPAddr != ""}, {"--url", c.URL != ""}, {"--cert", c.Cert != ""}, {"--cert-key", c.CertKey != ""},
		{"--old-key", len(c.OldKey) > 0}, {"--shed " + string(c.Shed), c.Shed != shedAuto}} {
		if f.set {
			return usagef("a URL is served to peers only", "%s is for folders", f.name)
		}
	}
	if len(a.common.Tracker) == 0 {
		return usagef("--tracker HOST:PORT names one", "seeding a URL needs a tracker: without one nobody learns of it")
	}
	u, err := parseTarget(c.Source)
	if err != nil {
		return err
	}
	o, err := a.nodeOptions(c.Reach, key, cache, a.listenOr(":0"))
	if err != nil {
		return err
	}
	o.uplink, o.share = int64(c.Uplink), true
	n, err := openNode(a.ctx, o)
	if err != nil {
		return err
	}
	a.listening("peer", n.addr)
	m := &mirror{app: a, node: n, url: u, level: trust.DefaultLevel}
	if err := m.first(a.ctx); err != nil {
		n.close(context.WithoutCancel(a.ctx))
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.watch(a.ctx, cmp.Or(time.Duration(c.Rescan), mirrorRescan))
	}()
	return a.untilSignal(func(ctx context.Context) error {
		<-done
		return n.close(ctx)
	})
}

// first gets the page and says what is held; an error is one of nt fetch's.
func (m *mirror) first(ctx context.Context) error {
	t := &transfer{fetcher: &fetcher{cmd: &fetchCmd{}, app: m.app, node: m.node, level: m.level, notaries: m.node.notaries}, raw: m.url.String()}
	resp, err := t.follow(ctx, m.url, 0, "")
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return t.explain(err)
	}
	if m.url, err = url.Parse(t.final); err != nil {
		resp.Body.Close()
		return err
	}
	if resp.Status != http.StatusOK {
		resp.Body.Close()
		return statusFault(t.raw, resp.Status)
	}
	if err := m.take(ctx, resp); err != nil {
		return t.explain(err)
	}
	return m.shared(resp)
}

// take reads an answer to its end and waits until it is stored.
func (m *mirror) take(ctx context.Context, resp *peer.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err != nil {
		return err
	}
	m.tags = http.Header{}
	for ask, tag := range map[string]string{"If-None-Match": "Etag", "If-Modified-Since": "Last-Modified"} {
		if v := resp.Header.Get(tag); v != "" {
			m.tags.Set(ask, v)
		}
	}
	return m.node.Settle(ctx)
}

// shared says what is seeded, or why it is not.
func (m *mirror) shared(resp *peer.Response) error {
	u, err := resource.ParseURL(m.url.String())
	if err != nil {
		return usagef("", "%q: %w", m.url, err)
	}
	for _, e := range m.node.cache.Get(u) {
		if e.Shared && !e.Invalid {
			_, err := fmt.Fprintf(m.stderr, "nt: seeding %s: %d bytes, object %s\n", printable(u.String()), e.Size(), chunker.ObjectID(e.Object()))
			return err
		}
	}
	why := m.node.sharing.Decide(u, nil, resp.Status, resp.Header)
	if why == nil {
		why = fmt.Errorf("%w: a request without anything of the reader's gets something else", resource.ErrPrivate)
	}
	return &fault{ExitOther, fmt.Errorf("%s cannot be seeded: %w", m.url, why), "only what everybody gets alike is shared"}
}

// watch looks for changes until ctx ends.
func (m *mirror) watch(ctx context.Context, every time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		if err := m.refresh(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("looking for changes failed; what is here is seeded on", "url", m.url, "err", err)
		}
	}
}

// refresh asks the site, and nobody else, for another version; the node announces what it keeps.
func (m *mirror) refresh(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url.String(), nil)
	if err != nil {
		return err
	}
	req.Header = m.tags.Clone()
	setDefault(req.Header, "Accept", "*/*")
	setDefault(req.Header, "User-Agent", peer.UserAgent)
	req.Header.Set(peer.FieldShed, "no") // a copy is not news
	resp, err := m.node.Do(ctx, peer.Request{HTTP: req, NoPeers: true})
	if err != nil {
		return err
	}
	switch {
	case resp.Provenance.Source != peer.SourceOrigin:
		resp.Body.Close()
		return resp.Provenance.OriginError
	case resp.Status == http.StatusOK:
		return m.take(ctx, resp)
	case resp.Status == http.StatusNotModified:
		return resp.Body.Close()
	}
	resp.Body.Close()
	return fmt.Errorf("the site answers %d", resp.Status)
}
