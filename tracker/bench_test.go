package tracker_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
	"nt/transport"
)

// crowd returns a store with one hot key that n peers of different networks
// hold, and announcer i of them.
func crowd(b *testing.B, n int) (*memory.Store, func(i int) (tracker.Announcer, resource.Statement)) {
	s, now := memory.New(memory.Config{}), storetest.Start()
	first := storetest.NewPeer(1, "1.2.3.4:7000").State("hot", "object", now)
	peer := func(i int) (tracker.Announcer, resource.Statement) {
		addr := netip.AddrFrom4([4]byte{byte(11 + i%100), byte(i / 100), byte(i / 25_600), 1})
		a := tracker.Announcer{Addr: netip.AddrPortFrom(addr, 7000), Transports: []string{"http"}, Said: now.Unix()}
		binary.BigEndian.PutUint64(a.ID[:], uint64(i+1))
		st := first
		st.Witness = resource.WitnessKey(a.ID)
		return a, st
	}
	for i := range n {
		a, st := peer(i)
		if errs, err := s.Announce(now, time.Hour, a, []resource.Statement{st}); err != nil || errs != nil {
			b.Fatal(errs, err)
		}
	}
	return s, peer
}

// BenchmarkStoreAnnounceHot renews announcements of one key with 10,000 peers.
func BenchmarkStoreAnnounceHot(b *testing.B) {
	s, peer := crowd(b, 10_000)
	now := storetest.Start()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a, st := peer(i % 10_000)
		s.Announce(now, time.Hour, a, []resource.Statement{st})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "announces/s")
}

// BenchmarkLookupHot asks for 30 of 10,000 peers, tickets and labels included.
func BenchmarkLookupHot(b *testing.B) {
	s, _ := crowd(b, 10_000)
	tr := newTracker(b, tracker.Config{Store: s})
	now, from := storetest.Start(), netip.MustParseAddr("150.1.1.1")
	req := tracker.LookupRequest{Keys: tracker.Keys{storetest.Key("hot")}, Want: 30}
	b.ReportAllocs()
	for b.Loop() {
		if resp, err := tr.Lookup(now, from, req); err != nil || len(resp.Results[0].Peers) != 30 {
			b.Fatal(resp, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
}

// quiet is a visitor with the room of one datagram, whose peers have sessions and gave grants.
type quiet struct{ bytes int }

func (*quiet) Room() int                       { return 1355 }
func (*quiet) Introduce(transport.PeerID) bool { return false }
func (*quiet) Token(p transport.PeerID) []byte { return p[:16] }
func (v *quiet) Answer(b []byte)               { v.bytes += len(b) }

// BenchmarkJoinHot is what a question by one datagram costs beside the wire; BenchmarkLookupHot is what one
// over HTTP costs beside HTTP and JSON.
func BenchmarkJoinHot(b *testing.B) {
	s, _ := crowd(b, 10_000)
	tr := newTracker(b, tracker.Config{Store: s})
	d := tracker.NewJoinDoor(tr, tracker.JoinConfig{Rate: 1e9, Burst: 1 << 30, Now: storetest.Start})
	q := tracker.Join{Key: storetest.Key("hot"), Want: 30}.Append(nil)
	v := &quiet{}
	b.ReportAllocs()
	for b.Loop() {
		d.Reply(netip.MustParseAddrPort("150.1.1.1:5"), q, v)
	}
	b.ReportMetric(float64(v.bytes)/float64(b.N), "B/answer")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
}

// BenchmarkAnnounceHTTP is the whole way of one signed announcement of one item,
// without the network: parsing, both signatures (the statement's is remembered after the
// first time), the store.
func BenchmarkAnnounceHTTP(b *testing.B) {
	api := newAPI(b, tracker.APIConfig{Rate: 1e9, Burst: 1 << 30})
	body, sig := announceBody(b, storetest.NewPeer(1, "1.2.3.4:7000"), "page")
	for b.Loop() {
		if status, _, answer := ask(api, "1.2.3.4:5555", "POST", "/v1/announce", sig, body); status != 200 {
			b.Fatal(fmt.Sprint(status, answer))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "announces/s")
}
