package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
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
	known, err := n.lookup(ctx, key)
	if err != nil {
		return nil, []Attempt{{"locator", err}}, nil
	}
	candidates := trust.Judge(n.cfg.Now(), key, n.foreign(known.Evidence), known.FirstOutage, n.policy())
	if len(candidates) == 0 {
		return nil, []Attempt{{"peers", errNoHolder}}, nil
	}
	var tried []Attempt
	low := &UntrustedError{URL: p.name(), Need: p.min}
	for _, c := range candidates {
		if !p.readable(c.Statement.Header, c.Statement.Encoding()) {
			tried = append(tried, Attempt{"peers", fmt.Errorf("the copy is encoded with %.20q", c.Statement.Encoding())})
			continue
		}
		risky := isRisky(p.url, c)
		if p.req.Pin == nil && (c.Level < p.min || risky) {
			low.Found, low.Risky = append(low.Found, c), low.Risky || c.Level >= p.min
			continue
		}
		got, err := n.startFetch(ctx, p, c, known, accept)
		if err == nil {
			return got, nil, nil
		}
		tried = append(tried, Attempt{"peers", err})
	}
	if len(low.Found) > 0 && len(tried) == 0 {
		return nil, nil, low
	}
	return nil, tried, nil
}

// foreign leaves out what this node itself said at the locator: that lies in its
// cache, and whoever hands back an old word of ours could roll us back to it.
func (n *Node) foreign(evidence []trust.Evidence) []trust.Evidence {
	own := resource.WitnessKey(n.id())
	return slices.DeleteFunc(slices.Clone(evidence), func(e trust.Evidence) bool { return e.Statement.Witness == own })
}

// policy is whom the user trusts, with the notaries known by now.
func (n *Node) policy() trust.Policy {
	p := n.cfg.Trust
	if n.cfg.Notaries != nil {
		all := n.cfg.Notaries()
		maps.Copy(all, p.Notaries)
		p.Notaries = all
	}
	return p
}

func (n *Node) lookup(ctx context.Context, key resource.Key) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return n.cfg.Locator.Lookup(ctx, key)
}

// startFetch begins to fetch one candidate and waits for its first bytes.
func (n *Node) startFetch(ctx context.Context, p *plan, cand trust.Candidate, known Found, accept acceptFunc) (*found, error) {
	u := p.url
	c := &found{n: n, p: p, level: cand.Level, disputed: cand.Disputed, source: SourcePeers, entry: cache.Entry{
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
	if c.fetch, err = n.fetches.enter(n, c.entry, holdersOf(known, cand.Statement), p.req.Limit); err == nil {
		err = c.begin(ctx)
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
		if pin := c.p.req.Pin; ok && pin != nil {
			if h.SHA256 != *pin {
				c.fetch.reject()
				return errors.New("the copy does not have the checksum asked for")
			}
			c.level = trust.Pinned
		}
		if ok && h.NumChunks() == 0 {
			return nil
		}
		if ok {
			return c.obj.Wait(ctx, 0)
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

// risky are types and extensions that run, or unpack into what runs.
var (
	riskyTypes = map[string]bool{
		"application/x-msdownload": true, "application/x-executable": true, "application/x-elf": true, "application/x-sh": true,
		"application/x-msi": true, "application/vnd.microsoft.portable-executable": true, "application/x-apple-diskimage": true,
		"application/java-archive": true, "application/vnd.android.package-archive": true, "application/x-debian-package": true,
		"application/vnd.debian.binary-package": true, "application/x-rpm": true, "application/zip": true, "application/gzip": true,
		"application/x-gzip": true, "application/x-tar": true, "application/x-xz": true, "application/x-bzip2": true,
		"application/x-7z-compressed": true, "application/vnd.rar": true, "application/zstd": true, "text/x-shellscript": true,
	}
	riskyExtensions = map[string]bool{
		".exe": true, ".msi": true, ".dll": true, ".bat": true, ".cmd": true, ".ps1": true, ".sh": true, ".run": true, ".appimage": true,
		".dmg": true, ".pkg": true, ".deb": true, ".rpm": true, ".apk": true, ".jar": true, ".zip": true, ".gz": true, ".tgz": true,
		".bz2": true, ".xz": true, ".zst": true, ".7z": true, ".rar": true, ".tar": true, ".iso": true, ".img": true, ".whl": true, ".gem": true,
	}
)

// isRisky reports whether a copy may not be handed out without a checksum at its
// level: programs and archives below notary (design section 7).
func isRisky(u resource.URL, c trust.Candidate) bool {
	if c.Level >= trust.Notary {
		return false
	}
	return riskyTypes[mediaType(c.Statement.Header)] || riskyExtensions[strings.ToLower(path.Ext(u.Path()))]
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
	}
	return "down"
}
