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
	"net/url"
	"sync"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// runHTTP starts a request whenever one is due; when all connections are busy it
// waits in line, and the waiting counts as its time.
func runHTTP(c config, p *plan) (*result, error) {
	if c.mode == "announce" { // a tracker names nobody who does not answer
		l, err := net.Listen("tcp4", "0.0.0.0:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		c.listen = uint16(l.Addr().(*net.TCPAddr).Port)
		go takeAll(l)
	}
	due := make(chan ask, 1<<16)
	r := &result{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range c.workers {
		client := clientFrom(w % c.sources)
		wg.Go(func() {
			for a := range due {
				size, err := a.do(client, c, p)
				us := time.Since(a.at).Microseconds()
				mu.Lock()
				if err != nil {
					r.refused++
				} else {
					r.answered++
					r.bytes += size
					r.latency.add(us)
				}
				mu.Unlock()
			}
		})
	}
	start := time.Now()
	for time.Since(start) < c.length {
		if n := int64(time.Since(start).Seconds() * c.rate); n <= r.sent {
			time.Sleep(time.Millisecond)
			continue
		}
		select {
		case due <- ask{at: time.Now(), peer: int(r.sent) * 7919 % len(p.peers)}:
		default: // the line is full: lost
		}
		r.sent++
	}
	r.took = time.Since(start)
	close(due)
	wg.Wait()
	return r, nil
}

// takeAll takes connections and closes them, for every address of 127.0.0.0/8.
func takeAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// clientFrom keeps one connection from the source's address.
func clientFrom(s int) *http.Client {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: source(s).AsSlice()}}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return d.DialContext(ctx, network, addr)
		},
		MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true,
	}}
}

// ask is one request that became due.
type ask struct {
	at   time.Time
	peer int
}

func (a ask) do(client *http.Client, c config, p *plan) (int64, error) {
	req, err := a.request(c, p)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || bytes.Contains(body, []byte("failure reason"))) {
		err = fmt.Errorf("status %d: %.200s", resp.StatusCode, body)
	}
	return int64(len(body)), err
}

func (a ask) request(c config, p *plan) (*http.Request, error) {
	peer := p.peers[a.peer]
	hash := p.hashes[peer.hash]
	switch c.mode {
	case "http-bep":
		return http.NewRequest("GET", fmt.Sprintf("http://%s/announce?info_hash=%s&peer_id=-NT0001-%012d&port=%d&left=1&compact=1&numwant=%d",
			c.addr, url.QueryEscape(string(hash[:20])), a.peer, peer.port, c.want), nil)
	case "lookup":
		body := fmt.Sprintf(`{"keys":["%x"],"want":%d}`, hash, c.want)
		return http.NewRequest("POST", "http://"+c.addr+"/v1/lookup", bytes.NewReader([]byte(body)))
	}
	body, key := announcement(a.peer, c.listen, hash)
	req, err := http.NewRequest("POST", "http://"+c.addr+"/v1/announce", bytes.NewReader(body))
	if err == nil {
		req.Header.Set(tracker.SignatureHeader, tracker.Sign(key, "POST", "/v1/announce", body))
	}
	return req, err
}

// announcement is a message of API v1 with one item.
func announcement(n int, port uint16, hash [32]byte) ([]byte, ed25519.PrivateKey) {
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key := ed25519.NewKeyFromSeed(seed[:])
	st := resource.Statement{Key: resource.Key(hash), Size: 1, Status: 200, ObservedAt: 1_700_000_000, Header: http.Header{"Content-Type": {"text/html"}}}
	copy(st.Object[:], hash[:])
	req := tracker.AnnounceRequest{Peer: tracker.PeerInfo{ID: transport.PeerID(key.Public().(ed25519.PublicKey)), Port: port, Transports: []string{"http"}},
		Time: time.Now().Unix(), Items: tracker.Items{{Statement: st.Sign(key)}}}
	body, err := json.Marshal(req)
	if err != nil {
		panic(err) // it is made of fixed types
	}
	return body, key
}
