// Package storetest owns the conformance suite of tracker.Store: what every
// store, in memory or shared, must do. It knows the seam alone.
package storetest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// TTL is how long the suite's announcements hold.
const TTL = 30 * time.Minute

// Start is the suite's first moment.
func Start() time.Time { return time.Unix(1_800_000_000, 0) }

// Peer is a peer of tests.
type Peer struct {
	Key  ed25519.PrivateKey
	Addr netip.AddrPort
}

// NewPeer returns the peer number n at the address.
func NewPeer(n int, addr string) Peer {
	seed := bytes.Repeat([]byte{byte(n), byte(n >> 8), byte(n >> 16), 7}, ed25519.SeedSize/4)
	return Peer{Key: ed25519.NewKeyFromSeed(seed), Addr: netip.MustParseAddrPort(addr)}
}

// ID returns the peer's name.
func (p Peer) ID() transport.PeerID {
	return transport.PeerID(p.Key.Public().(ed25519.PublicKey))
}

// Announcer returns what a tracker saw when p spoke at the time.
func (p Peer) Announcer(now time.Time) tracker.Announcer {
	return tracker.Announcer{ID: p.ID(), Addr: p.Addr, Transports: []string{"http", "roulette"}, Said: now.Unix()}
}

// State returns p's statement that the key was the object.
func (p Peer) State(key, object string, now time.Time) resource.Statement {
	return resource.Statement{
		Key: Key(key), Object: Object(object), Size: int64(len(object)), Status: 200, ObservedAt: now.Unix(),
		Header: http.Header{"Content-Type": {"text/html"}, "Etag": {`"` + object + `"`}},
	}.Sign(p.Key)
}

// Key returns the key of a URL.
func Key(url string) resource.Key {
	var k resource.Key
	copy(k[:], fmt.Sprintf("%-32.32s", url))
	return k
}

// Object returns an object's ID.
func Object(s string) chunker.ObjectID {
	var id chunker.ObjectID
	copy(id[:], fmt.Sprintf("%-32.32s", s))
	return id
}

type env struct {
	*testing.T
	s   tracker.Store
	rnd *rand.Rand
}

func (e env) announce(now time.Time, p Peer, sts ...resource.Statement) {
	e.Helper()
	errs, err := e.s.Announce(now, TTL, p.Announcer(now), sts)
	if err == nil {
		err = errors.Join(errs...)
	}
	if err != nil {
		e.Fatalf("announcing: %v", err)
	}
}

func (e env) lookup(now time.Time, key string, n int) tracker.Swarm {
	e.Helper()
	sw, err := e.s.Lookup(now, Key(key), n, e.rnd)
	if err != nil {
		e.Fatal(err)
	}
	return sw
}

func (e env) holders(now time.Time, key string) map[transport.PeerID]tracker.Holder {
	e.Helper()
	out := map[transport.PeerID]tracker.Holder{}
	for _, h := range e.lookup(now, key, 50).Holders {
		out[h.ID] = h
	}
	return out
}

// Run runs the suite. open returns an empty store with room for some thousand
// holders of a key from different networks.
func Run(t *testing.T, open func(t *testing.T) tracker.Store) {
	for _, c := range []struct {
		name string
		run  func(env)
	}{
		{"N9_NobodyIsAnEmptyList", testEmpty},
		{"N10_AnnouncedIsFound", testFound},
		{"AnnouncementsExpire", testExpiry},
		{"RenewedStays", testRenew},
		{"LeaveTakesEverythingBack", testLeave},
		{"StaleIsRefused", testStale},
		{"MovedPeerIsFoundAtItsNewAddress", testMoved},
		{"SampleIsRandomAndDistinct", testSample},
		{"N12_ReportsCountOncePerGroup", testReport},
		{"FirstOutageIsRemembered", testOutage},
		{"StatementsOutliveHolders", testStatementsStay},
		{"NewestObservationPerWitnessWins", testNewest},
		{"EarlyEvidenceIsNotReplaced", testEarly},
		{"StatementsAreBounded", testBounded},
		{"NotaryIsAlwaysKept", testNotary},
		{"RelayedWordsAreNoVotes", testRelayed},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(env{t, open(t), rand.New(rand.NewPCG(1, 2))})
		})
	}
}
