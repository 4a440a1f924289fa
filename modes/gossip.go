package modes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"nt/peer"
)

// saidPath is where a peer answers what notaries told it, on the port that serves everything else.
const saidPath = "/nt/v1/said"

// gossipOver returns how questions reach peers: by HTTP, through the safe dialer.
func gossipOver(c *http.Client) peer.Gossip {
	return func(ctx context.Context, to netip.AddrPort, question []byte) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String()+saidPath, bytes.NewReader(question))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the peer answers %d", resp.StatusCode)
		}
		return io.ReadAll(io.LimitReader(resp.Body, peer.MaxSaidBytes+1))
	}
}

// gossipClient returns a client for questions to peers: no redirects, no idle connections.
func (n *node) gossipClient() *http.Client {
	return &http.Client{
		Timeout:       3 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: n.dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10},
	}
}

// maxSaidAtOnce bounds the questions that are answered at a time: each costs some hashes.
const maxSaidAtOnce = 4

// answerGossip serves questions of peers.
func (n *node) answerGossip() http.HandlerFunc {
	slots := make(chan struct{}, maxSaidAtOnce)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			http.Error(w, "ask later", http.StatusServiceUnavailable)
			return
		}
		question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, peer.MaxSaidKeys*70+200))
		if err != nil {
			http.Error(w, "the question is too long or broke off", http.StatusBadRequest)
			return
		}
		answer, err := n.AnswerGossip(question)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	}
}
