package tracker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/internal/safedial"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
	"nt/transport"
)

func newTracker(t testing.TB, cfg tracker.Config) *tracker.Tracker {
	t.Helper()
	if cfg.Store == nil {
		cfg.Store = memory.New(memory.Config{})
	}
	cfg.PublicAddr = safedial.PublicAddr
	tr, err := tracker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func announceRequest(p storetest.Peer, now time.Time, sts ...resource.Statement) tracker.AnnounceRequest {
	req := tracker.AnnounceRequest{
		Peer: tracker.PeerInfo{ID: p.ID(), Port: p.Addr.Port(), Transports: []string{"http"}}, Time: now.Unix(),
	}
	for _, st := range sts {
		req.Items = append(req.Items, tracker.Item{Statement: st})
	}
	return req
}

func announce(t testing.TB, tr *tracker.Tracker, now time.Time, p storetest.Peer, key, object string) {
	t.Helper()
	resp, err := tr.Announce(now, p.Addr.Addr(), announceRequest(p, now, p.State(key, object, now)))
	if err != nil || len(resp.Refused) != 0 {
		t.Fatalf("announcing: %+v, %v", resp, err)
	}
}

func lookup(t testing.TB, tr *tracker.Tracker, now time.Time, from, key string, want int) tracker.Result {
	t.Helper()
	resp, err := tr.Lookup(now, netip.MustParseAddr(from), tracker.LookupRequest{Keys: tracker.Keys{storetest.Key(key)}, Want: want})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Results[0]
}

func reason(err error) tracker.Reason {
	var r *tracker.RefusedError
	errors.As(err, &r)
	if r == nil {
		return ""
	}
	return r.Reason
}

func ids(peers tracker.Peers) []transport.PeerID {
	var out []transport.PeerID
	for _, p := range peers {
		out = append(out, p.ID)
	}
	return out
}

func TestN9_N10_AnnouncedPeersAreHandedOut(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	if r := lookup(t, tr, now, "9.9.9.9", "page", 0); len(r.Peers) != 0 || r.Peers == nil {
		t.Errorf("an unknown key has peers %v, want an empty list", r.Peers)
	}
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	announce(t, tr, now, p, "page", "object")
	r := lookup(t, tr, now, "9.9.9.9", "page", 0)
	if len(r.Peers) != 1 || r.Peers[0].Addr != "1.2.3.4:7000" || r.Peers[0].Object != storetest.Object("object") || r.Peers[0].Ticket == "" {
		t.Errorf("peers: %+v", r.Peers)
	}
	if len(r.Statements) != 1 || r.Statements[0].Statement.Verify() != nil || r.Statements[0].LoggedAt != now.Unix() {
		t.Errorf("statements: %+v", r.Statements)
	}
	if r.FirstOutage != now.Unix() {
		t.Errorf("the first lookup was at %d, not %d", now.Unix(), r.FirstOutage)
	}
}

func TestAskerIsNeverHandedOut(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	announce(t, tr, now, storetest.NewPeer(1, "1.2.3.4:7000"), "page", "object")
	announce(t, tr, now, storetest.NewPeer(2, "1.2.3.4:8000"), "page", "object") // behind the same NAT
	resp, err := tr.Lookup(now, netip.MustParseAddr("::ffff:1.2.3.4"), tracker.LookupRequest{Keys: tracker.Keys{storetest.Key("page")}, Port: 7000})
	if err != nil || len(resp.Results[0].Peers) != 1 || resp.Results[0].Peers[0].Addr != "1.2.3.4:8000" {
		t.Errorf("peers %+v, %v", resp.Results, err)
	}
}

func TestAnnounceIsChecked(t *testing.T) {
	now := storetest.Start()
	p, other := storetest.NewPeer(1, "1.2.3.4:7000"), storetest.NewPeer(2, "2.2.3.4:7000")
	good := p.State("page", "object", now)
	forged := good
	forged.Size++
	future := p.State("page", "object", now.Add(time.Hour))
	for name, c := range map[string]struct {
		change func(*tracker.AnnounceRequest)
		whole  tracker.Reason
		item   tracker.Reason
	}{
		"good":                {},
		"old clock":           {change: func(r *tracker.AnnounceRequest) { r.Time -= 601 }, whole: tracker.ReasonClock},
		"clock ahead":         {change: func(r *tracker.AnnounceRequest) { r.Time += 601 }, whole: tracker.ReasonClock},
		"within skew":         {change: func(r *tracker.AnnounceRequest) { r.Time -= 599 }},
		"no port":             {change: func(r *tracker.AnnounceRequest) { r.Peer.Port = 0 }, whole: tracker.ReasonMalformed},
		"no transports":       {change: func(r *tracker.AnnounceRequest) { r.Peer.Transports = nil }, whole: tracker.ReasonMalformed},
		"odd transport":       {change: func(r *tracker.AnnounceRequest) { r.Peer.Transports = []string{"a\x1b[31m"} }, whole: tracker.ReasonMalformed},
		"no items":            {change: func(r *tracker.AnnounceRequest) { r.Items = nil }, whole: tracker.ReasonMalformed},
		"too many items":      {change: func(r *tracker.AnnounceRequest) { r.Items = make(tracker.Items, 257) }, whole: tracker.ReasonMalformed},
		"forged statement":    {change: func(r *tracker.AnnounceRequest) { r.Items[0].Statement = forged }, item: tracker.ReasonStatement},
		"somebody else's":     {change: func(r *tracker.AnnounceRequest) { r.Items[0].Statement = other.State("page", "object", now) }},
		"of the future":       {change: func(r *tracker.AnnounceRequest) { r.Items[0].Statement = future }, item: tracker.ReasonClock},
		"endless TTL":         {change: func(r *tracker.AnnounceRequest) { r.TTL = 1 << 62 }},
		"URL to a non-notary": {change: func(r *tracker.AnnounceRequest) { r.Items[0].URL = "http://example.org/" }},
	} {
		tr := newTracker(t, tracker.Config{})
		announce(t, tr, now, storetest.NewPeer(1, "1.2.3.4:7000"), "elsewhere", "x") // the cache of checked statements is warm
		req := announceRequest(p, now, good)
		if name == "within skew" {
			tr = newTracker(t, tracker.Config{})
		}
		if c.change != nil {
			c.change(&req)
		}
		resp, err := tr.Announce(now, p.Addr.Addr(), req)
		if reason(err) != c.whole {
			t.Errorf("%s: %v, want %q", name, err, c.whole)
		}
		var item tracker.Reason
		if len(resp.Refused) > 0 {
			item = resp.Refused[0].Reason
		}
		if item != c.item {
			t.Errorf("%s: item refused with %q, want %q", name, item, c.item)
		}
		found := len(lookup(t, tr, now, "9.9.9.9", "page", 1).Peers) == 1
		if want := c.whole == "" && c.item == ""; found != want {
			t.Errorf("%s: handed out: %v", name, found)
		}
		if st := tr.Stats(now, now); c.whole+c.item != "" && st.Refused[c.whole+c.item] != 1 {
			t.Errorf("%s: refusals counted: %v", name, st.Refused)
		}
		if resp.TTL > 7200 {
			t.Errorf("%s: a TTL of %d s", name, resp.TTL)
		}
	}
}

func TestCheckedStatementsAreRememberedExactly(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	good := p.State("page", "object", now)
	announce(t, tr, now, p, "page", "object")
	for name, change := range map[string]func(*resource.Statement){
		"size":         func(s *resource.Statement) { s.Size++ },
		"object":       func(s *resource.Statement) { s.Object[0]++ },
		"key":          func(s *resource.Statement) { s.Key[0]++ },
		"time":         func(s *resource.Statement) { s.ObservedAt-- },
		"header value": func(s *resource.Statement) { s.Header.Set("Etag", "x") },
		"header field": func(s *resource.Statement) { s.Header.Set("Vary", "x") },
		"header cut":   func(s *resource.Statement) { s.Header.Del("Etag") },
	} {
		st := good
		st.Header = good.Header.Clone()
		change(&st)
		resp, err := tr.Announce(now, p.Addr.Addr(), announceRequest(p, now, st))
		if err != nil || len(resp.Refused) != 1 || resp.Refused[0].Reason != tracker.ReasonStatement {
			t.Errorf("changed %s: %+v, %v", name, resp, err)
		}
	}
}

func TestN12_ReportsNeedATicketOfTheAskersOwn(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	announce(t, tr, now, storetest.NewPeer(1, "1.2.3.4:7000"), "page", "object")
	ticket := lookup(t, tr, now, "50.1.2.3", "page", 1).Peers[0].Ticket
	report := func(at time.Time, from, ticket, why string) (bool, tracker.Reason) {
		resp, err := tr.Report(at, netip.MustParseAddr(from), tracker.ReportRequest{Ticket: ticket, Reason: why})
		return resp.Counted, reason(err)
	}
	for _, c := range []struct {
		at           time.Duration
		from, ticket string
		why          string
		counted      bool
		refused      tracker.Reason
	}{
		{0, "51.1.2.3", ticket, "dead", false, tracker.ReasonTicket},
		{0, "50.1.2.3", ticket[:len(ticket)-1] + "!", "dead", false, tracker.ReasonTicket},
		{0, "50.1.2.3", "B" + ticket[1:], "dead", false, tracker.ReasonTicket},
		{0, "50.1.2.3", "", "dead", false, tracker.ReasonTicket},
		{time.Hour, "50.1.2.3", ticket, "dead", false, tracker.ReasonTicket},
		{0, "50.1.2.3", ticket, "ugly", false, tracker.ReasonMalformed},
		{time.Minute, "50.1.9.9", ticket, "bad", true, ""}, // the same network group
		{time.Minute, "50.1.2.3", ticket, "dead", false, ""},
	} {
		if counted, refused := report(now.Add(c.at), c.from, c.ticket, c.why); counted != c.counted || refused != c.refused {
			t.Errorf("%+v: counted %v, refused %q", c, counted, refused)
		}
	}
}

func TestRow10_200SlanderersCannotHideAnHonestPeer(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	honest := storetest.NewPeer(5000, "99.1.2.3:7000")
	announce(t, tr, now, honest, "page", "object")
	for i := range 200 { // from 100 networks; they hold the page too and so fill the answer
		p := storetest.NewPeer(i, fmt.Sprintf("%d.%d.3.4:7000", 11+i%50, i/50))
		announce(t, tr, now, p, "page", "object")
	}
	for i := range 200 {
		from := fmt.Sprintf("%d.%d.3.4", 11+i%50, i/50)
		for tries := 0; ; tries++ {
			peers := lookup(t, tr, now, from, "page", 50).Peers
			at := slices.Index(ids(peers), honest.ID())
			if at < 0 && tries < 200 {
				continue
			}
			if at < 0 {
				t.Fatalf("slanderer %d cannot even find the honest peer", i)
			}
			tr.Report(now, netip.MustParseAddr(from), tracker.ReportRequest{Ticket: peers[at].Ticket, Reason: "bad"})
			break
		}
	}
	const rounds = 300
	found, first := 0, 0
	for range rounds {
		peers := ids(lookup(t, tr, now, "150.1.1.1", "page", 30).Peers)
		if len(peers) != 30 {
			t.Fatalf("%d peers", len(peers))
		}
		if at := slices.Index(peers, honest.ID()); at >= 0 {
			found++
			if at < 20 {
				first++
			}
		}
	}
	// 68 of 201 are drawn for each answer and the demoted among them keep a place:
	// a third of the askers hear of it, twice what an unreported peer's share would be.
	if found < rounds/6 {
		t.Errorf("the honest peer was named in %d of %d answers", found, rounds)
	}
	if first != 0 {
		t.Errorf("a peer reported from 200 networks was among the first %d times", first)
	}
}

// TestNearPeersComeFirstOnRequest: who asks for it hears of peers of the own network first,
// but never of them alone.
func TestNearPeersComeFirstOnRequest(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	for i := range 200 {
		announce(t, tr, now, storetest.NewPeer(i, fmt.Sprintf("%d.%d.3.4:7000", 11+i%50, i/50)), "page", "object")
	}
	for i := range 30 {
		announce(t, tr, now, storetest.NewPeer(1000+i, fmt.Sprintf("150.1.%d.7:7000", i)), "page", "object")
	}
	ask := func(near bool) (list string) {
		resp, err := tr.Lookup(now, netip.MustParseAddr("150.1.99.1"), tracker.LookupRequest{Keys: tracker.Keys{storetest.Key("page")}, Want: 20, Near: near})
		if err != nil || len(resp.Results[0].Peers) != 20 {
			t.Fatal(resp, err)
		}
		for _, p := range resp.Results[0].Peers {
			list += map[bool]string{true: "N", false: "."}[strings.HasPrefix(p.Addr, "150.1.")]
		}
		return list
	}
	if got := ask(true); got != "NNNNNNNNNNNNNNN....." {
		t.Errorf("near: %s", got)
	}
	if got := ask(false); strings.Count(got, "N") > 3 {
		t.Errorf("as ever: %s", got)
	}
}

func TestRow10_OneNetworkCannotDemote(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	for i := range 40 {
		announce(t, tr, now, storetest.NewPeer(i, fmt.Sprintf("%d.1.3.4:7000", 11+i)), "page", "object")
	}
	victim := storetest.NewPeer(0, "11.1.3.4:7000").ID()
	for i := range 200 {
		from := fmt.Sprintf("77.1.%d.4", i)
		peers := lookup(t, tr, now, from, "page", 50).Peers
		tr.Report(now, netip.MustParseAddr(from), tracker.ReportRequest{Ticket: peers[slices.Index(ids(peers), victim)].Ticket, Reason: "dead"})
	}
	early := 0
	for range 200 {
		if at := slices.Index(ids(lookup(t, tr, now, "150.1.1.1", "page", 40).Peers), victim); at >= 0 && at < 20 {
			early++
		}
	}
	if early < 50 {
		t.Errorf("a peer slandered by one network was in the first half of %d of 200 answers, 100 are expected", early)
	}
}

func TestRow11_ForeignAndPrivateAddressesAreNeverHandedOut(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	for i, addr := range []string{
		"10.0.0.1", "127.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "0.0.0.0",
	} {
		p := storetest.NewPeer(i, "1.1.1.1:7000")
		_, err := tr.Announce(now, netip.MustParseAddr(addr), announceRequest(p, now, p.State("page", "object", now)))
		if reason(err) != tracker.ReasonAddress {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if r := lookup(t, tr, now, "9.9.9.9", "page", 50); len(r.Peers) != 0 || len(r.Statements) != 0 {
		t.Errorf("handed out: %+v", r)
	}
	// There is no way to claim an address: such a field is refused.
	p := storetest.NewPeer(1, "1.1.1.1:7000")
	body, _ := json.Marshal(announceRequest(p, now, p.State("page", "object", now)))
	body = bytes.Replace(body, []byte(`"port":7000`), []byte(`"port":7000,"addr":"8.8.8.8"`), 1)
	if err := tracker.Decode(body, new(tracker.AnnounceRequest)); reason(err) != tracker.ReasonMalformed {
		t.Errorf("a claimed address: %v", err)
	}
}

func TestRow11_OneEntryPerEndpoint(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	for i := range 20 { // twenty keys at one endpoint
		announce(t, tr, now, storetest.NewPeer(i, "1.1.3.4:7000"), "page", "object")
	}
	if r := lookup(t, tr, now, "9.9.9.9", "page", 50); len(r.Peers) != 1 {
		t.Errorf("one endpoint is named %d times", len(r.Peers))
	}
}

func TestRow13_AnswersMixNetworkGroups(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	for i := range 200 { // nine in ten are in one /16
		addr := fmt.Sprintf("66.6.%d.4:7000", i)
		if i%10 == 0 {
			addr = fmt.Sprintf("%d.1.1.1:7000", 11+i/10)
		}
		announce(t, tr, now, storetest.NewPeer(i, addr), "page", "object")
	}
	groups := map[string]bool{}
	peers := lookup(t, tr, now, "150.1.1.1", "page", 50).Peers
	for _, p := range peers[:10] {
		groups[p.Addr[:5]] = true
	}
	if len(peers) != 50 || len(groups) < 6 {
		t.Errorf("%d peers, the first ten from %d groups", len(peers), len(groups))
	}
}

func TestFreshPeersComeFirst(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	later := now.Add(20 * time.Minute)
	for i := range 20 {
		at := now
		if i >= 10 {
			at = later
		}
		announce(t, tr, at, storetest.NewPeer(i, fmt.Sprintf("5.5.%d.4:7000", i)), "page", "object") // one group
	}
	fresh := map[transport.PeerID]bool{}
	for i := 10; i < 20; i++ {
		fresh[storetest.NewPeer(i, "1.1.1.1:1").ID()] = true
	}
	for i, id := range ids(lookup(t, tr, later, "150.1.1.1", "page", 20).Peers) {
		if fresh[id] != (i < 10) {
			t.Errorf("place %d: fresh is %v", i, fresh[id])
		}
	}
}

// seenAt knows one peer's session.
type seenAt struct {
	id   transport.PeerID
	addr netip.AddrPort
}

func (seenAt) Key() transport.PeerID { return transport.PeerID{1} }
func (s seenAt) Endpoint(id transport.PeerID) (netip.AddrPort, bool) {
	return s.addr, id == s.id
}
func (seenAt) After(chunker.ObjectID, int, netip.AddrPort, *rand.Rand) []transport.PeerID { return nil }

// A peer behind a NAT is handed out where its session comes from, unless nobody else could reach that.
func TestF43_HandoutNamesTheSessionsAddress(t *testing.T) {
	now := storetest.Start()
	p := storetest.NewPeer(1, "1.2.3.4:7000")
	for seen, want := range map[string]string{"1.2.3.4:61000": "1.2.3.4:61000", "192.168.0.9:7000": "1.2.3.4:7000"} {
		tr := newTracker(t, tracker.Config{Rendezvous: seenAt{p.ID(), netip.MustParseAddrPort(seen)}})
		st := p.State("key", "object", now)
		if _, err := tr.Announce(now, p.Addr.Addr(), announceRequest(p, now, st)); err != nil {
			t.Fatal(err)
		}
		resp, err := tr.Lookup(now, netip.MustParseAddr("9.9.9.9"), tracker.LookupRequest{Keys: tracker.Keys{st.Key}})
		if err != nil || len(resp.Results[0].Peers) != 1 || resp.Results[0].Peers[0].Addr != want {
			t.Errorf("session at %s: %v, %v; want %s", seen, resp, err, want)
		}
		if key := tr.Info(now).Key; key == nil || *key != (transport.PeerID{1}) {
			t.Errorf("info names the key %v", key)
		}
	}
}

// TestRow3_RelayedStatementsHaveNoGroup: a thousand peers that repeat one reader's
// words are one reader.
func TestRow3_RelayedStatementsHaveNoGroup(t *testing.T) {
	tr, now := newTracker(t, tracker.Config{}), storetest.Start()
	witness := storetest.NewPeer(1, "1.2.3.4:7000")
	for i := range 1000 {
		p := storetest.NewPeer(10+i, fmt.Sprintf("%d.%d.3.4:7000", 20+i%100, i/100))
		resp, err := tr.Announce(now, p.Addr.Addr(), announceRequest(p, now, witness.State("page", "object", now)))
		if err != nil || len(resp.Refused) != 0 {
			t.Fatalf("%+v, %v", resp, err)
		}
	}
	r := lookup(t, tr, now, "9.9.9.9", "page", 50)
	if len(r.Peers) == 0 || len(r.Statements) != 1 || r.Statements[0].Group != "" || r.Statements[0].Statement.Witness != resource.WitnessKey(witness.ID()) {
		t.Errorf("%d peers, statements %+v", len(r.Peers), r.Statements)
	}
	announce(t, tr, now, witness, "page", "object")
	if r = lookup(t, tr, now, "9.9.9.9", "page", 50); len(r.Statements) != 1 || r.Statements[0].Group == "" {
		t.Errorf("the witness's own word: %+v", r.Statements)
	}
}
