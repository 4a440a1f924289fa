package tracker_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nt/chunker"
	"nt/tracker"
	"nt/tracker/storetest"
	"nt/transport"
)

// meeting knows sessions and what their peers are after.
type meeting struct {
	at    map[transport.PeerID]netip.AddrPort
	after map[chunker.ObjectID][]transport.PeerID
}

func (*meeting) Key() transport.PeerID { return docNotary{}.peer() }

func (m *meeting) Endpoint(id transport.PeerID) (netip.AddrPort, bool) {
	a, ok := m.at[id]
	return a, ok
}

func (m *meeting) After(object chunker.ObjectID, k int, but netip.AddrPort, _ *rand.Rand) (ids []transport.PeerID) {
	for _, id := range m.after[object] {
		if len(ids) < k && m.at[id] != but {
			ids = append(ids, id)
		}
	}
	return ids
}

// reads lets a peer have a session and be after an object.
func (m *meeting) reads(p storetest.Peer, object string) transport.PeerID {
	m.at[p.ID()] = p.Addr
	id := storetest.Object(object)
	m.after[id] = append(m.after[id], p.ID())
	return p.ID()
}

func reader(i int) storetest.Peer {
	return storetest.NewPeer(5000+i, fmt.Sprintf("%d.9.9.9:6000", 11+i))
}

func holder(i int) storetest.Peer {
	return storetest.NewPeer(1+i, fmt.Sprintf("%d.2.3.4:7000", 11+i))
}

// meetingAt is a tracker at which so many hold the page as "object" and so many are fetching that.
func meetingAt(t testing.TB, cfg tracker.Config, holders, readers int) (*tracker.Tracker, *meeting) {
	t.Helper()
	m := &meeting{map[transport.PeerID]netip.AddrPort{}, map[chunker.ObjectID][]transport.PeerID{}}
	cfg.Rendezvous = m
	tr := newTracker(t, cfg)
	for i := range holders {
		announce(t, tr, storetest.Start(), holder(i), "page", "object")
	}
	for i := range readers {
		m.reads(reader(i), "object")
	}
	return tr, m
}

// byBothDoors asks for the page from 9.9.9.9, port 5000.
func byBothDoors(t testing.TB, tr *tracker.Tracker, want int, complete bool) map[string]tracker.Peers {
	t.Helper()
	j := tracker.Join{Key: storetest.Key("page"), Want: want, Has: complete}
	joined, _ := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:5000", &visitor{room: 11000, tokens: true}, j)
	api, err := tr.Lookup(storetest.Start(), netip.MustParseAddr("9.9.9.9"),
		tracker.LookupRequest{Keys: tracker.Keys{j.Key}, Want: want, Port: 5000, Complete: complete})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tracker.Peers{"UDP": joined.Result.Peers, "HTTP": api.Results[0].Peers}
}

// places shows an answer: H a holder, r who is fetching.
func places(peers tracker.Peers) (s string) {
	for _, p := range peers {
		s += map[bool]string{false: "H", true: "r"}[p.Reading]
	}
	return s
}

// TestWhoIsFetchingIsNamedBesideTheHolders, where its session comes from.
func TestWhoIsFetchingIsNamedBesideTheHolders(t *testing.T) {
	tr, m := meetingAt(t, tracker.Config{}, 3, 2)
	m.reads(reader(2), "another object")
	for door, peers := range byBothDoors(t, tr, 0, false) {
		if got := places(peers); got != "HHrrH" {
			t.Errorf("%s: %s, want two fetching behind the first two of three holders", door, got)
			continue
		}
		for i, p := range peers[2:4] {
			if want := reader(i); p.ID != want.ID() || p.Addr != want.Addr.String() || p.Object != storetest.Object("object") ||
				!slices.Equal(p.Transports, []string{"roulette"}) || p.Ticket == "" || (door == "UDP") != slices.Equal(p.Token, p.ID[:16]) {
				t.Errorf("%s: %+v, want %v at %v", door, p, want.ID(), want.Addr)
			}
		}
		for _, p := range []tracker.PeerEntry{peers[0], peers[1], peers[4]} {
			if !strings.HasSuffix(p.Addr, ".2.3.4:7000") {
				t.Errorf("%s: %+v is no holder", door, p)
			}
		}
	}
}

func TestOfAnAnswerHalfAtMostIsFetchingAndNeverMoreThanEight(t *testing.T) {
	for name, c := range map[string]struct {
		holders, readers, want int
		places                 string
	}{
		"many of both":     {40, 20, 30, "HH" + strings.Repeat("r", 8) + strings.Repeat("H", 20)},
		"the most asked":   {60, 20, 50, "HH" + strings.Repeat("r", 8) + strings.Repeat("H", 40)},
		"few asked":        {40, 20, 5, "HHrrH"},
		"one asked":        {40, 20, 1, "H"},
		"one holder":       {1, 20, 10, "Hrrrrr"},
		"nobody, few ask":  {40, 0, 5, "HHHHH"},
		"nobody, many ask": {40, 0, 30, strings.Repeat("H", 30)},
	} {
		tr, _ := meetingAt(t, tracker.Config{}, c.holders, c.readers)
		for door, peers := range byBothDoors(t, tr, c.want, false) {
			if got := places(peers); got != c.places {
				t.Errorf("%s, %s: %s, want %s", name, door, got, c.places)
			}
		}
	}
}

// TestOneDatagramHasRoomForHoldersAndForWhoIsFetching: a newcomer hears of both, however little fits.
func TestOneDatagramHasRoomForHoldersAndForWhoIsFetching(t *testing.T) {
	tr, _ := meetingAt(t, tracker.Config{}, 40, 20)
	v := &visitor{room: 1355, tokens: true}
	got, _ := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:5000", v, tracker.Join{Key: storetest.Key("page")})
	if p := places(got.Result.Peers); !strings.HasPrefix(p, "HHr") || !got.More || v.introduced != 3 {
		t.Errorf("%s; more: %v; %d introductions", p, got.More, v.introduced)
	}
}

func TestRow11_WhoIsFetchingAtAPrivateAddressIsNotNamed(t *testing.T) {
	for private, want := range map[bool]string{false: "Hr", true: "Hrr"} {
		tr, m := meetingAt(t, tracker.Config{AllowPrivate: private}, 1, 1)
		m.reads(storetest.NewPeer(6000, "192.168.0.9:6000"), "object")
		for door, peers := range byBothDoors(t, tr, 0, false) {
			if got := places(peers); got != want {
				t.Errorf("%s, private addresses allowed %v: %s, want %s", door, private, got, want)
			}
		}
	}
}

// TestRow11_WhoIsFetchingIsNamedOnce: a holder that still says that it is after the object is a holder, and who is after two
// versions is named for one.
func TestRow11_WhoIsFetchingIsNamedOnce(t *testing.T) {
	tr, m := meetingAt(t, tracker.Config{}, 2, 1)
	announce(t, tr, storetest.Start(), holder(2), "page", "other")
	m.reads(holder(0), "object")
	m.reads(reader(0), "other")
	for door, peers := range byBothDoors(t, tr, 0, false) {
		if got := places(peers); got != "HHrH" {
			t.Errorf("%s: %s, want three holders and one that is fetching", door, got)
		}
	}
}

func TestWhoHasEverythingHearsOfNobodyWhoIsFetching(t *testing.T) {
	tr, _ := meetingAt(t, tracker.Config{}, 3, 3)
	for door, peers := range byBothDoors(t, tr, 0, true) {
		if len(peers) != 0 {
			t.Errorf("%s: %s", door, places(peers))
		}
	}
}

// TestWithoutHoldersTheStatementsTellWhatIsFetched: those who hold it have gone, or have not announced yet.
func TestWithoutHoldersTheStatementsTellWhatIsFetched(t *testing.T) {
	tr, _ := meetingAt(t, tracker.Config{Notary: docNotary{}}, 0, 2)
	if got := byBothDoors(t, tr, 0, false); len(got["UDP"])+len(got["HTTP"]) != 0 {
		t.Errorf("of a page that nobody knows: %v", got)
	}
	eye := storetest.NewPeer(77, "1.1.1.1:1")
	if err := tr.KeepOwn(storetest.Start(), eye.State("page", "object", storetest.Start())); err != nil {
		t.Fatal(err)
	}
	for door, peers := range byBothDoors(t, tr, 0, false) {
		if got := places(peers); got != "rr" {
			t.Errorf("%s: %s, want both who are fetching", door, got)
		}
	}
}

// TestOfManyVersionsTheHeldOneCountsFirst: readers are looked for of four versions, and all together are no more than of one.
func TestOfManyVersionsTheHeldOneCountsFirst(t *testing.T) {
	now := storetest.Start()
	for each, want := range map[int]int{1: 4, 3: 8} {
		tr, m := meetingAt(t, tracker.Config{}, 0, 1)
		for v := range 6 {
			object, gone := fmt.Sprint("version ", v), holder(10+v)
			announce(t, tr, now, gone, "page", object)
			if _, err := tr.Leave(now, tracker.LeaveRequest{Peer: gone.ID(), Time: now.Unix() + 1}); err != nil {
				t.Fatal(err)
			}
			for i := range each {
				m.reads(reader(10+10*v+i), object)
			}
		}
		announce(t, tr, now, holder(0), "page", "object")
		for door, peers := range byBothDoors(t, tr, 0, false) {
			if got := places(peers); got != "H"+strings.Repeat("r", want) || peers[1].Object != storetest.Object("object") {
				t.Errorf("%s, %d of each version: %s, the first is fetching %q, want %d", door, each, got, peers[1].Object[:], want)
			}
		}
	}
}

// TestTheAskerIsNotNamedToItself: by UDP it is known by the address that the question comes from, whatever port it serves at.
func TestTheAskerIsNotNamedToItself(t *testing.T) {
	tr, m := meetingAt(t, tracker.Config{}, 1, 1)
	m.reads(storetest.NewPeer(6000, "9.9.9.9:5000"), "object")
	for door, peers := range byBothDoors(t, tr, 0, false) {
		if got := places(peers); got != "Hr" || peers[1].ID != reader(0).ID() {
			t.Errorf("%s: %s, want the other one alone", door, got)
		}
	}
}

// TestRow10_ACrowdDoesNotHideWhoWasReported: peers that were reported keep their places among the holders that are left, by HTTP
// the last ones, in a datagram one of the first two.
func TestRow10_ACrowdDoesNotHideWhoWasReported(t *testing.T) {
	for _, c := range []struct {
		holders, reported, want int
		places                  map[string]string // H a holder, s one that was reported, r who is fetching
	}{
		{40, 10, 30, map[string]string{"HTTP": "HHrrrrrrrr" + strings.Repeat("H", 18) + "ss", "UDP": "Hsrrrrrrrr" + strings.Repeat("H", 19) + "s"}},
		{18, 5, 5, map[string]string{"HTTP": "HHrrs", "UDP": "HsrrH"}},
		{18, 17, 5, map[string]string{"HTTP": "Hsrrs", "UDP": "Hsrrs"}},
	} {
		tr, _ := meetingAt(t, tracker.Config{}, c.holders, 20)
		slandered := slander(t, tr, c.reported)
		for door, peers := range byBothDoors(t, tr, c.want, false) {
			got := []byte(places(peers))
			for i, p := range peers {
				if slandered[p.ID] {
					got[i] = 's'
				}
			}
			if string(got) != c.places[door] {
				t.Errorf("%d of %d reported, %s: %s, want %s", c.reported, c.holders, door, got, c.places[door])
			}
		}
	}
}

// slander reports the first n holders from four networks.
func slander(t *testing.T, tr *tracker.Tracker, n int) map[transport.PeerID]bool {
	t.Helper()
	now, slandered := storetest.Start(), map[transport.PeerID]bool{}
	for i := range n {
		slandered[holder(i).ID()] = true
	}
	for i := range 4 {
		from := fmt.Sprintf("%d.1.1.1", 150+i)
		reported := 0
		for _, p := range lookup(t, tr, now, from, "page", 50).Peers { // all
			if slandered[p.ID] {
				tr.Report(now, netip.MustParseAddr(from), tracker.ReportRequest{Ticket: p.Ticket, Reason: "bad"})
				reported++
			}
		}
		if reported != n {
			t.Fatalf("%d of %d could be reported", reported, n)
		}
	}
	return slandered
}

// TestAPrivateTrackersTopicsNeedItsToken: who does not know it can be after nothing that members are after.
func TestAPrivateTrackersTopicsNeedItsToken(t *testing.T) {
	one, two := storetest.Object("object"), storetest.Object("other")
	if got := tracker.TopicOf("", one); got != [32]byte(one) {
		t.Errorf("without a token: %x", got)
	}
	mac := hmac.New(sha256.New, []byte("sesame"))
	mac.Write(append([]byte("nt-after-v1\x00"), one[:]...)) // docs/adr/0038
	if got := tracker.TopicOf("sesame", one); !bytes.Equal(got[:], mac.Sum(nil)) {
		t.Errorf("with a token: %x", got)
	}
	if tracker.TopicOf("sesame", one) == tracker.TopicOf("sesam", one) || tracker.TopicOf("sesame", one) == tracker.TopicOf("sesame", two) {
		t.Error("tokens or objects have the same topic")
	}
}

// TestFetchingIsToldInJSON, of who is fetching only.
func TestFetchingIsToldInJSON(t *testing.T) {
	tr, _ := meetingAt(t, tracker.Config{}, 1, 1)
	body, err := json.Marshal(tracker.LookupRequest{Keys: tracker.Keys{storetest.Key("page")}})
	if err != nil {
		t.Fatal(err)
	}
	status, _, answer := ask(tracker.NewAPI(tr, tracker.APIConfig{Now: storetest.Start}), "9.9.9.9:1", "POST", "/v1/lookup", "", body)
	var got tracker.LookupResponse
	if err := tracker.Decode([]byte(answer), &got); err != nil || status != 200 || places(got.Results[0].Peers) != "Hr" {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	if strings.Count(answer, `"reading":true`) != 1 || strings.Count(answer, `"reading"`) != 1 {
		t.Errorf("who is fetching is told by %s", answer)
	}
}

// TestAPeersUnknownFlagIsRefused: what they mean may change what follows.
func TestAPeersUnknownFlagIsRefused(t *testing.T) {
	tr, _ := meetingAt(t, tracker.Config{}, 0, 1)
	announce(t, tr, storetest.Start(), holder(0), "page", "object")
	key := storetest.Key("page")
	_, b := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:5000", &visitor{room: 11000}, tracker.Join{Key: key})
	last := len(b) - (1 + 32 + 4 + 2 + 1 + 2 + 20) // flags of the last peer
	if b[last] != 4 {
		t.Fatalf("who is fetching has the flags %d", b[last])
	}
	for flag := byte(8); flag != 0; flag <<= 1 {
		b[last] = 4 | flag
		if _, err := tracker.ParseJoined(key, b); reason(err) != tracker.ReasonMalformed {
			t.Errorf("flag %d: %v", flag, err)
		}
	}
	for flags, reading := range map[byte]bool{0: false, 4: true} {
		b[last] = flags
		if j, err := tracker.ParseJoined(key, b); err != nil || j.Result.Peers[1].Reading != reading {
			t.Errorf("flags %d: %+v, %v", flags, j.Result.Peers, err)
		}
	}
}
