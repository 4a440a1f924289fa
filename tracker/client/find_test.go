package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/internal/testenv"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
	"nt/transport"
)

// lone is an asker by UDP with so much room.
type lone struct {
	room   int
	answer chan []byte
}

func (v *lone) Room() int                     { return v.room }
func (*lone) Introduce(transport.PeerID) bool { return false }
func (*lone) Token(transport.PeerID) []byte   { return make([]byte, 16) }
func (v *lone) Answer(b []byte)               { v.answer <- b }
func by(d *tracker.JoinDoor, room *int) func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
	return func(_ context.Context, _ netip.AddrPort, q []byte) ([]byte, error) {
		v := &lone{*room, make(chan []byte, 1)}
		*room = 11000 // the asker has a token from now on
		d.Ask(netip.MustParseAddrPort("127.0.0.1:9"), q, v)
		return <-v.answer, nil
	}
}

// TestFindAsksByUDPFirst: one question by UDP and nothing over HTTP, for a private tracker too; the keys that
// /v1/info would tell come with it. What does not fit is asked for again with the token.
func TestFindAsksByUDPFirst(t *testing.T) {
	n := notary{resource.WitnessKey{7}}
	tr, err := tracker.New(tracker.Config{Store: memory.New(memory.Config{}), AllowPrivate: true, Notary: n})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 2 { // two versions of the page
		p := storetest.NewPeer(i, "127.0.0.1:1000")
		req := tracker.AnnounceRequest{Peer: tracker.PeerInfo{ID: p.ID(), Port: uint16(1000 + i), Transports: []string{"http"}}, Time: now.Unix(),
			Items: tracker.Items{{Statement: p.State("page", string(rune('a'+i)), now)}}}
		if got, err := tr.Announce(now, netip.MustParseAddr("127.0.0.1"), req); err != nil || len(got.Refused) > 0 {
			t.Fatal(got, err)
		}
	}
	var requests atomic.Int32
	srv := serve(t, n, func(http.ResponseWriter, *http.Request) bool { requests.Add(1); return false })
	door := tracker.NewJoinDoor(tr, tracker.JoinConfig{Token: "sesame"})
	for _, room := range []int{11000, 400} {
		c := open(t, Config{Addr: "sesame@" + srv.Listener.Addr().String(), Ask: by(door, &room)})
		got, err := c.Find(t.Context(), storetest.Key("page"), 0)
		if err != nil || len(got.Peers) != 2 || len(got.Statements) != 2 || len(got.Peers[0].Token) != 16 {
			t.Fatalf("%d peers, %d statements, %v", len(got.Peers), len(got.Statements), err)
		}
		if key, err := c.Notary(t.Context()); err != nil || key == nil || *key != n.key {
			t.Errorf("notary %v, %v", key, err)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests over HTTP", requests.Load())
	}
	if s := tr.Stats(now, now); s.Joins != 3 {
		t.Errorf("%d questions", s.Joins)
	}
}

// TestNearIsAskedForBothWays: who wants peers of his own network says so by UDP and over HTTP.
func TestNearIsAskedForBothWays(t *testing.T) {
	var body string
	srv := serve(t, nil, func(_ http.ResponseWriter, r *http.Request) bool {
		b, _ := io.ReadAll(r.Body)
		body, r.Body = string(b), io.NopCloser(bytes.NewReader(b))
		return false
	})
	var asked tracker.Join
	c := open(t, Config{Addr: srv.Listener.Addr().String(), Near: true, Ask: func(_ context.Context, _ netip.AddrPort, q []byte) (_ []byte, err error) {
		if asked, err = tracker.ParseJoin(q); err != nil {
			t.Error(err)
		}
		return nil, errors.New("no answer")
	}})
	if _, err := c.Find(t.Context(), storetest.Key("page"), 7); err != nil {
		t.Fatal(err)
	}
	if !asked.Near || asked.Want != 7 || !strings.Contains(body, `"near":true`) {
		t.Errorf("by UDP %+v, over HTTP %s", asked, body)
	}
}

// TestFindFallsBackToHTTP: when UDP does not come through, refuses or answers nonsense, HTTP answers, and for a while both are asked
// at once. An https address is never asked by UDP.
func TestFindFallsBackToHTTP(t *testing.T) {
	srv := serve(t, nil, nil)
	server := open(t, Config{Addr: srv.Listener.Addr().String(), Key: peerKey(), Port: 7000, Transports: []string{"http"}})
	its := items(1, 1)
	if _, err := server.Announce(t.Context(), its); err != nil {
		t.Fatal(err)
	}
	key := its[0].Statement.Key
	silent := func(ctx context.Context, _ netip.AddrPort, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, ask := range map[string]func(context.Context, netip.AddrPort, []byte) ([]byte, error){
		"silence":  silent,
		"an error": func(context.Context, netip.AddrPort, []byte) ([]byte, error) { return nil, errors.New("no socket") },
		"nonsense": func(context.Context, netip.AddrPort, []byte) ([]byte, error) { return []byte("yes"), nil },
		"refusal": func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
			return []byte{1, 1, 2, 4, 'b', 'u', 's', 'y'}, nil
		},
	} {
		c := open(t, Config{Addr: srv.Listener.Addr().String(), Ask: ask})
		for range 2 {
			if got, err := c.Find(t.Context(), key, 0); err != nil || len(got.Peers) != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			if c.askPatience() != 0 {
				t.Errorf("%s: UDP is waited for again", name)
			}
		}
	}
	asked := false
	c := open(t, Config{Addr: "https://" + srv.Listener.Addr().String(), Tries: 1, Ask: func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
		asked = true
		return nil, nil
	}})
	if _, err := c.Find(t.Context(), key, 0); err == nil || asked {
		t.Errorf("https: asked by UDP: %v; %v", asked, err)
	}
	gone := testenv.ClosedAddr(t)
	c = open(t, Config{Addr: gone, Tries: 1, Ask: silent})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := c.Find(ctx, key, 0); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a tracker that is gone: %v", err)
	}
}

// TestTopicsAreMadeWithTheTrackersToken, which its address carries.
func TestTopicsAreMadeWithTheTrackersToken(t *testing.T) {
	object := storetest.Object("object")
	for addr, token := range map[string]string{"127.0.0.1:1": "", "sesame@127.0.0.1:1": "sesame", "https://sesame@127.0.0.1:1": "sesame"} {
		if got := open(t, Config{Addr: addr}).TopicOf(object); got != tracker.TopicOf(token, object) {
			t.Errorf("%s: %x", addr, got)
		}
	}
}
