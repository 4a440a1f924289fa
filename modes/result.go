package modes

import (
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"nt/chunker"
	"nt/peer"
)

// result is the object nt fetch --json prints: a contract with scripts.
type result struct {
	URL           string                `json:"url"`
	FinalURL      string                `json:"final_url"`
	Status        int                   `json:"status"` // 0: nobody answered
	Bytes         int64                 `json:"bytes"`
	SHA256        string                `json:"sha256"` // "" unless all bytes passed by
	Object        string                `json:"object"` // "" if the bytes were not stored
	Trust         string                `json:"trust"`  // "origin", or the level of the copy
	Witnesses     []string              `json:"witnesses"`
	ObservedAt    string                `json:"observed_at"` // RFC 3339, UTC
	BytesBySource map[peer.Source]int64 `json:"bytes_by_source"`
	// Of what came from peers: content by transport and by peer ("KEY@ADDRESS"), bytes to and
	// from them that were not new content, peers that sent something, and wrong bytes found.
	BytesByTransport map[string]int64 `json:"bytes_by_transport"`
	BytesByPeer      map[string]int64 `json:"bytes_by_peer"`
	OverheadBytes    int64            `json:"overhead_bytes"`
	NeighboursMet    int              `json:"neighbours_met"`
	ProofsFailed     int              `json:"proofs_failed"`
	Seconds          float64          `json:"seconds"`
	Exit             Exit             `json:"exit"`
}

func (f *fetcher) printResult(r result) error {
	if !f.cmd.JSON {
		return nil
	}
	return f.app.printJSON(r)
}

// result says how the transfer went.
func (t *transfer) result(exit Exit) result {
	r := result{
		URL: t.raw, FinalURL: t.final, Status: t.status, Bytes: t.received, Witnesses: []string{},
		BytesBySource: map[peer.Source]int64{}, Seconds: time.Since(t.started).Seconds(), Exit: exit,
	}
	r.BytesByTransport, r.BytesByPeer = map[string]int64{}, map[string]int64{}
	maps.Copy(r.BytesByTransport, t.live.BytesByTransport)
	maps.Copy(r.BytesByPeer, t.live.BytesByPeer)
	r.OverheadBytes, r.NeighboursMet, r.ProofsFailed = t.live.Overhead, t.live.PeersMet, t.live.ProofsFailed
	for source, n := range t.bySource {
		r.BytesBySource[source] = n
	}
	if exit == ExitOK && t.sum != nil {
		r.SHA256 = hex.EncodeToString(t.sum)
	}
	p := t.provenance
	if p == nil {
		return r
	}
	r.Trust, r.ObservedAt = "origin", t.started.UTC().Format(time.RFC3339)
	if p.Source != peer.SourceOrigin {
		r.Trust, r.ObservedAt = p.Level.String(), p.ObservedAt.UTC().Format(time.RFC3339)
		r.Witnesses = append(r.Witnesses, p.Witnesses...)
	}
	if t.object != (chunker.ObjectID{}) {
		r.Object = t.object.String()
	}
	return r
}

// parseHash reads 64 hexadecimal digits.
func parseHash(text string) (h chunker.Hash, err error) {
	if len(text) != 2*len(h) {
		return h, fmt.Errorf("%q is not %d hexadecimal digits", text, 2*len(h))
	}
	if _, err = hex.Decode(h[:], []byte(text)); err != nil {
		return h, fmt.Errorf("%q is not %d hexadecimal digits", text, 2*len(h))
	}
	return h, nil
}
