package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// announcer is a peer that says what it has, from an address of its own.
type announcer struct {
	key    ed25519.PrivateKey
	client *http.Client
	from   netip.Addr
}

func newAnnouncer(n uint64, from netip.Addr) *announcer {
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], n+1)
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	return &announcer{key: ed25519.NewKeyFromSeed(seed[:]), from: from, client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return d.DialContext(ctx, network, addr)
		},
		MaxConnsPerHost: 1, DisableCompression: true,
	}}}
}

// keyOf is URL number n.
func keyOf(n uint64) (k resource.Key) {
	binary.BigEndian.PutUint64(k[:], n*0x9e3779b97f4a7c15+1)
	return k
}

// announce says that the peer holds the URLs, each with a statement that it signs, and
// returns how many were taken.
func (a *announcer) announce(to string, urls ...uint64) (int, error) {
	now := time.Now().Unix()
	req := tracker.AnnounceRequest{Peer: tracker.PeerInfo{ID: transport.PeerID(a.key.Public().(ed25519.PublicKey)), Port: crowdPort, Transports: []string{"http"}}, Time: now}
	for _, n := range urls {
		st := resource.Statement{Key: keyOf(n), Size: 1000, Status: 200, ObservedAt: now, Header: http.Header{"Content-Type": {"text/html"}}}
		binary.BigEndian.PutUint64(st.Object[:], n+1)
		req.Items = append(req.Items, tracker.Item{Statement: st.Sign(a.key)})
	}
	body, err := json.Marshal(req)
	if err != nil {
		return 0, err
	}
	var resp tracker.AnnounceResponse
	err = a.post(to, "/v1/announce", body, tracker.Sign(a.key, "POST", "/v1/announce", body), &resp)
	return len(urls) - len(resp.Refused), err
}

// holders asks who holds URL number n.
func (a *announcer) holders(of string, n uint64) (tracker.Result, error) {
	return a.holdersOf(of, keyOf(n))
}

func (a *announcer) holdersOf(of string, key resource.Key) (tracker.Result, error) {
	body, err := json.Marshal(tracker.LookupRequest{Keys: tracker.Keys{key}})
	if err != nil {
		return tracker.Result{}, err
	}
	var resp tracker.LookupResponse
	err = a.post(of, "/v1/lookup", body, "", &resp)
	if err != nil || len(resp.Results) != 1 {
		return tracker.Result{}, fmt.Errorf("%d results: %w", len(resp.Results), err)
	}
	return resp.Results[0], nil
}

// refusedError is an answer that is not 200.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("%d %s", e.status, e.text) }

func (a *announcer) post(to, path string, body []byte, signature string, into any) error {
	req, err := http.NewRequest(http.MethodPost, "http://"+to+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if signature != "" {
		req.Header.Set(tracker.SignatureHeader, signature)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		return &refusedError{resp.StatusCode, string(b[:min(len(b), 200)])}
	}
	if err == nil {
		err = tracker.Decode(b, into)
	}
	return err
}
