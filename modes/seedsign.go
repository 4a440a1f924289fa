package modes

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"nt/internal/resource"
	"nt/peer/publisher"
)

// signedSite serves a folder together with its publisher's documents, which it makes anew
// when the folder changes, and in time before they expire. A nil *signedSite signs nothing.
type signedSite struct {
	*signer
	node     *node
	sequence int64
	signed   time.Time
	docs     atomic.Pointer[documents]
}

// documents are what a site says about itself at one time.
type documents struct {
	keys, manifest []byte
	offer          offer // of the manifest
}

const manifestName = "publisher's manifest" // on the shelf

// update signs what there is now, if that is due.
func (s *signedSite) update(ctx context.Context, offers []offer, changed bool, now time.Time) error {
	if s == nil || !changed && now.Before(s.signed.Add(s.life/2)) && s.docs.Load() != nil {
		return nil
	}
	sequence := max(now.Unix(), s.sequence+1)
	keys, manifest, err := s.sign(offers, sequence, now)
	if err != nil {
		return fmt.Errorf("signing the site: %w", err)
	}
	head, err := storeAll(ctx, s.node.store, bytes.NewReader(manifest))
	if err != nil {
		return fmt.Errorf("storing the manifest: %w", err)
	}
	u, err := resource.ParseURL(s.origin + publisher.ManifestPath)
	if err != nil {
		return err
	}
	s.node.shelf.Put(manifestName, head.ID())
	s.sequence, s.signed = sequence, now
	s.docs.Store(&documents{keys: keys, manifest: manifest, offer: offer{u, resource.Statement{
		Key: u.Key(), Object: head.ID(), Size: head.Size, Status: http.StatusOK, ObservedAt: now.Unix(),
		Header: http.Header{"Content-Type": {"application/json"}},
	}}})
	return nil
}

// offers adds the manifest to what the folder offers.
func (s *signedSite) offers(list []offer) []offer {
	if s == nil || s.docs.Load() == nil {
		return list
	}
	return append(list, s.docs.Load().offer)
}

// handler serves the documents, and everything else from the folder.
func (s *signedSite) handler(f http.Handler) http.Handler {
	if s == nil {
		return f
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		docs := s.docs.Load()
		body := map[string]func() []byte{publisher.KeysPath: func() []byte { return docs.keys }, publisher.ManifestPath: func() []byte { return docs.manifest }}[r.URL.Path]
		if docs == nil || body == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			f.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body()))
	})
}
