package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/publisher"
)

const (
	// learnTimeout bounds asking a site for its key document and its manifests.
	learnTimeout = 15 * time.Second
	// learnAgain is after how long a site that could not be asked may be asked again.
	learnAgain = 10 * time.Minute
	// relearn is the least time between two looks because a page is not in the manifest.
	relearn = time.Minute
	// manifestFresh is for how long no newer manifest is looked for among peers.
	manifestFresh = 5 * time.Minute
	// manifestTries is how many different manifests of one site are looked at.
	manifestTries = 4
	maxSites      = 1024 // origins remembered in memory
	maxManifests  = 16   // of them in memory, the largest things here
)

// sites is what this process remembers of publishers beside the Store. The zero value is ready.
type sites struct {
	mu        sync.Mutex
	busy      map[string]bool      // being asked
	asked     map[string]time.Time // last attempt
	manifests map[string]*manifest // by origin and scope
}

type manifest struct {
	publisher.Manifest
	object chunker.ObjectID // of its bytes as they came
	looked time.Time        // when a newer one was looked for last
}

// begin reports whether the caller is to ask the origin now; then it calls end.
func (s *sites) begin(origin string, now time.Time, wait time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.asked[origin]; s.busy[origin] || ok && now.Sub(at) < wait {
		return false
	}
	if s.asked == nil || len(s.asked) >= maxSites {
		s.asked = make(map[string]time.Time)
	}
	if s.busy == nil {
		s.busy = make(map[string]bool)
	}
	s.busy[origin], s.asked[origin] = true, now
	return true
}

func (s *sites) end(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, origin)
}

// learn asks a site that has just answered over a valid certificate for its key document,
// if that is due. Only who looks for copies at all needs keys, so a node without a locator
// asks nothing.
func (n *Node) learn(u resource.URL, resp *http.Response) {
	if n.cfg.Publishers == nil || n.cfg.Locator == nil || resp.StatusCode != http.StatusOK || u.IsZero() || !verified(resp) {
		return
	}
	rec, err := n.cfg.Publishers.Get(u.Origin())
	if err != nil || !rec.Due(n.cfg.Now()) || !n.sites.begin(u.Origin(), n.cfg.Now(), learnAgain) {
		return
	}
	n.teach(u.Origin(), func(ctx context.Context) error { return n.learnKeys(ctx, u.Origin()) })
}

// unlisted hears what a page of a publisher was just now, and asks for newer documents if
// the known manifest does not say so.
func (n *Node) unlisted(u resource.URL, object chunker.ObjectID) {
	if n.cfg.Publishers == nil || n.cfg.Locator == nil || u.Scheme() != "https" || strings.HasPrefix(u.Path(), "/.well-known/") {
		return
	}
	rec, err := n.cfg.Publishers.Get(u.Origin())
	if err != nil {
		return
	}
	keys, ok := rec.Known(n.cfg.Now())
	if !ok {
		return
	}
	covering := keys.Covering(u.Path())
	for _, k := range covering {
		if m := n.manifest(keys, k, rec.Sequences[k.Scope]); m != nil {
			if s, ok := m.Statement(u); ok && s.Object == object {
				return
			}
		}
	}
	if len(covering) > 0 && n.sites.begin(u.Origin(), n.cfg.Now(), relearn) {
		n.teach(u.Origin(), func(ctx context.Context) error { return n.learnKeys(ctx, u.Origin()) })
	}
}

// teach runs one look at a site beside everything else.
func (n *Node) teach(origin string, look func(context.Context) error) {
	n.filling.start()
	n.work.Go(func() {
		defer n.filling.end()
		defer n.sites.end(origin)
		ctx, cancel := context.WithTimeout(n.ctx, learnTimeout)
		defer cancel()
		if err := look(ctx); err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Warn("what the publisher says is not taken", "site", origin, "err", err)
		}
	})
}

// verified reports whether a reply came over TLS from who it should come from.
func verified(resp *http.Response) bool { return resp.TLS != nil && len(resp.TLS.VerifiedChains) > 0 }

// learnKeys takes the key document a site shows, if it may follow the known one.
func (n *Node) learnKeys(ctx context.Context, origin string) error {
	body, status, err := n.askSite(ctx, origin+publisher.KeysPath, publisher.MaxKeysBytes)
	if err != nil {
		n.cfg.Log.Debug("publisher not asked", "site", origin, "err", err)
		return nil // the network's fault; learnAgain
	}
	rec, err := n.cfg.Publishers.Get(origin)
	if err != nil {
		return err
	}
	rec.CheckedAt, rec.Refused = n.cfg.Now().Unix(), ""
	var keys publisher.Keys
	if status == http.StatusOK {
		if keys, err = publisher.ParseKeys(body); err == nil && keys.Origin != origin {
			err = fmt.Errorf("%w: it is of %.100q", publisher.ErrBad, keys.Origin)
		}
		known, bound := rec.Known(n.cfg.Now())
		if err == nil {
			err = known.Succeeds(keys, n.cfg.Now())
		}
		switch {
		case err != nil && bound:
			rec.Refused = err.Error() // somebody may want to know why
		case err == nil:
			if !bound {
				rec.Sequences = nil
			}
			rec.Keys = &keys
		}
	}
	if perr := n.cfg.Publishers.Put(rec); perr != nil {
		return perr
	}
	if err != nil {
		return err
	}
	if known, ok := rec.Known(n.cfg.Now()); ok {
		return n.learnManifests(ctx, rec, known)
	}
	return nil
}

// learnManifests fetches the manifests from the site like any page, so that they are kept
// and shared like one.
func (n *Node) learnManifests(ctx context.Context, rec publisher.Record, keys publisher.Keys) error {
	var errs []error
	for _, k := range keys.Keys {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, keys.Origin+k.Manifest, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept-Encoding", "identity")
		resp, err := n.Do(ctx, Request{HTTP: req, NoPeers: true})
		if err != nil || resp.Provenance.Source != SourceOrigin || resp.Status != http.StatusOK {
			if err == nil {
				resp.Body.Close()
			}
			continue // it is there or it is not; what is signed says more
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, publisher.MaxManifestBytes+1))
		resp.Body.Close()
		if err == nil {
			_, err = n.takeManifest(rec.Origin, keys, body)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// askSite asks a site itself, and nobody else, for a small document.
func (n *Node) askSite(ctx context.Context, url string, limit int) (body []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", UserAgent)
	resp, err := n.cfg.Origin.Do(ctx, req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return nil, 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	if !verified(resp) {
		return nil, 0, errors.New("not over a valid certificate")
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	return body, resp.StatusCode, err
}

// takeManifest keeps a manifest that the known keys accept, wherever it came from.
func (n *Node) takeManifest(origin string, keys publisher.Keys, body []byte) (publisher.Manifest, error) {
	m, err := publisher.ParseManifest(body)
	if err != nil {
		return m, err
	}
	n.sites.mu.Lock()
	defer n.sites.mu.Unlock()
	rec, err := n.cfg.Publishers.Get(origin) // now: another process may have learnt meanwhile
	if err != nil {
		return m, err
	}
	if err := keys.Accepts(m, rec.Sequences[m.Scope], n.cfg.Now()); err != nil {
		return m, err
	}
	if rec.Sequences[m.Scope] != m.Sequence {
		if rec.Sequences == nil {
			rec.Sequences = make(map[string]int64)
		}
		rec.Sequences[m.Scope] = m.Sequence
		if err := n.cfg.Publishers.Put(rec); err != nil {
			return m, err
		}
	}
	if err := n.cfg.Publishers.PutManifest(m, body); err != nil {
		return m, err
	}
	n.sites.put(m, objectOf(body), n.cfg.Now())
	return m, nil
}

// put remembers a manifest; mu is held.
func (s *sites) put(m publisher.Manifest, object chunker.ObjectID, now time.Time) *manifest {
	if s.manifests == nil || len(s.manifests) >= maxManifests {
		s.manifests = make(map[string]*manifest)
	}
	kept := &manifest{Manifest: m, object: object, looked: now}
	s.manifests[m.Origin+m.Scope] = kept
	return kept
}

// stale reports whether a newer manifest than m (nil: none) is to be looked for.
func (s *sites) stale(m *manifest, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m == nil || now.Sub(m.looked) > manifestFresh
}

func (s *sites) searched(m *manifest, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m != nil {
		m.looked = now
	}
}

// manifest returns the newest accepted manifest of a key, nil if there is none.
func (n *Node) manifest(keys publisher.Keys, k publisher.Key, sequence int64) *manifest {
	n.sites.mu.Lock()
	defer n.sites.mu.Unlock()
	m := n.sites.manifests[keys.Origin+k.Scope]
	if m == nil || m.Sequence < sequence {
		kept, body, err := n.cfg.Publishers.Manifest(keys.Origin, k.Scope)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				n.cfg.Log.Warn("the kept manifest is not usable", "site", keys.Origin, "err", err)
			}
			return nil
		}
		m = n.sites.put(kept, objectOf(body), time.Time{})
	}
	if keys.Accepts(m.Manifest, sequence, n.cfg.Now()) != nil || m.Key != k.Key {
		return nil
	}
	return m
}

// objectOf names bytes.
func objectOf(b []byte) chunker.ObjectID {
	tree, err := chunker.Build(strings.NewReader(string(b)), int64(len(b)))
	if err != nil {
		return chunker.ObjectID{}
	}
	return tree.Header().ID()
}
