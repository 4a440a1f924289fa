package tracker_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nt/chunker"
	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/storetest"
	"nt/transport"
)

// visitor is somebody who asks by one datagram, without any network.
type visitor struct {
	room, introduced int
	tokens           bool
	answer           chan []byte
}

func (v *visitor) Room() int { return v.room }
func (v *visitor) Introduce(transport.PeerID) bool {
	if v.room < 129 {
		return false
	}
	v.room -= 129
	v.introduced++
	return true
}
func (v *visitor) Token(p transport.PeerID) []byte {
	if !v.tokens {
		return nil
	}
	return slices.Clone(p[:16])
}
func (v *visitor) Answer(b []byte) { v.answer <- b }

// joinOnce asks a door.
func joinOnce(t testing.TB, d *tracker.JoinDoor, from string, v *visitor, j tracker.Join) (tracker.Joined, []byte) {
	t.Helper()
	v.answer = make(chan []byte, 1)
	room := v.room
	d.Ask(netip.MustParseAddrPort(from), j.Append(nil), v)
	b := <-v.answer
	if len(b) > v.room {
		t.Errorf("%d bytes for a room of %d, of which %d are left", len(b), room, v.room)
	}
	got, err := tracker.ParseJoined(j.Key, b)
	if err != nil {
		t.Fatal(err)
	}
	return got, b
}

func header(size int64) chunker.Header {
	return chunker.Header{Size: size, Root: chunker.Hash{1}, SHA256: chunker.Hash{2}}
}

// crowded returns a tracker at which n peers of as many networks announced one page, with its FMD header.
func crowded(t testing.TB, n int) (*tracker.Tracker, resource.Key) {
	t.Helper()
	tr := newTracker(t, tracker.Config{Secret: tracker.Secret{1}, Notary: docNotary{}, Rendezvous: docRendezvous{}})
	now := storetest.Start()
	h := header(5000)
	for i := range n {
		p := storetest.NewPeer(i+1, fmt.Sprintf("%d.2.3.4:7000", i%100+11))
		st := p.State("page", "object", now)
		st.Object, st.Size, st.Header = h.ID(), h.Size, http.Header{"Content-Type": {"text/html"}, "Etag": {`"1"`}}
		req := announceRequest(p, now, st.Sign(p.Key))
		req.Items[0].FMD = h.AppendBinary(nil)
		if got, err := tr.Announce(now, p.Addr.Addr(), req); err != nil || len(got.Refused) > 0 {
			t.Fatal(got, err)
		}
	}
	return tr, storetest.Key("page")
}

func door(tr *tracker.Tracker, cfg tracker.JoinConfig) *tracker.JoinDoor {
	cfg.Now = storetest.Start
	return tracker.NewJoinDoor(tr, cfg)
}

// TestOneDatagramSaysWhatTheAPISays: an answer with room for everything is that of the HTTP API.
func TestOneDatagramSaysWhatTheAPISays(t *testing.T) {
	tr, key := crowded(t, 6)
	eye := storetest.NewPeer(99, "1.1.1.1:1")
	seen := eye.State("page", "object", storetest.Start())
	seen.Place = resource.Place{Log: seen.ObservedAt - 5, Seq: 2, Prev: resource.Digest{7}}
	if err := tr.KeepOwn(storetest.Start(), seen.Sign(eye.Key)); err != nil {
		t.Fatal(err)
	}
	got, _ := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:5000", &visitor{room: 11000, tokens: true}, tracker.Join{Key: key})
	api, err := tr.Lookup(storetest.Start(), netip.MustParseAddr("9.9.9.9"), tracker.LookupRequest{Keys: tracker.Keys{key}})
	if err != nil {
		t.Fatal(err)
	}
	want := api.Results[0]
	byID := func(a, b tracker.PeerEntry) int { return bytes.Compare(a.ID[:], b.ID[:]) }
	slices.SortFunc(got.Result.Peers, byID)
	slices.SortFunc(want.Peers, byID)
	for i, p := range got.Result.Peers {
		if !bytes.Equal(p.Token, p.ID[:16]) {
			t.Errorf("peer %d has the token %x", i, p.Token)
		}
		got.Result.Peers[i].Token = nil
	}
	want.FirstOutage = 0 // it was the join
	byWitness := func(a, b tracker.Logged) int { return bytes.Compare(a.Statement.Witness[:], b.Statement.Witness[:]) }
	slices.SortFunc(got.Result.Statements, byWitness)
	slices.SortFunc(want.Statements, byWitness)
	if diff := cmp.Diff(want, got.Result); diff != "" || got.Partial || got.Echoes || got.More {
		t.Errorf("by one datagram (+), over HTTP (-): %s", diff)
	}
	if info := tr.Info(storetest.Start()); *info.Key != *got.Session || *info.Notary != *got.Notary {
		t.Error("it tells other keys than /v1/info")
	}
	if len(got.Result.FMDs) != 1 || !bytes.Equal(got.Result.FMDs[0], header(5000).AppendBinary(nil)) {
		t.Errorf("FMD headers %x", got.Result.FMDs)
	}
	for _, l := range got.Result.Statements {
		if l.Statement.Verify() != nil {
			t.Error("a statement's signature does not hold any more")
		}
	}
}

// TestAJoinKeepsWithinItsRoom: whatever room there is, the answer with what introductions cost fits, and says
// what was left out; one datagram is enough for the page, its header and some peers.
func TestAJoinKeepsWithinItsRoom(t *testing.T) {
	tr, key := crowded(t, 40)
	d := door(tr, tracker.JoinConfig{Rate: 1e6, Burst: 1e6})
	for room := 100; room < 4000; room += 61 {
		v := &visitor{room: room, tokens: true}
		got, _ := joinOnce(t, d, "9.9.9.9:5000", v, tracker.Join{Key: key})
		if room > 600 && room < 1500 && (got.Partial || !got.Echoes) {
			t.Errorf("room of %d: the version has no room, or all its witnesses: partial %v, echoes %v", room, got.Partial, got.Echoes)
		}
		if !got.More && len(got.Result.Peers) < 30 || v.introduced > 3 {
			t.Errorf("room of %d: %d peers and no word of more; %d introductions", room, len(got.Result.Peers), v.introduced)
		}
		if room > 1340 && room < 1400 && (len(got.Result.Peers) < 3 || len(got.Result.Statements) == 0 || len(got.Result.FMDs) != 1) {
			t.Errorf("in one datagram: %d peers, %d statements, %d headers", len(got.Result.Peers), len(got.Result.Statements), len(got.Result.FMDs))
		}
	}
}

func TestAJoinIsRefusedWithAReason(t *testing.T) {
	tr, key := crowded(t, 1)
	private := door(tr, tracker.JoinConfig{Token: "sesame"})
	if got, _ := joinOnce(t, private, "9.9.9.9:1", &visitor{room: 1300}, tracker.Join{Key: key}); got.Refused != tracker.ReasonToken {
		t.Errorf("without the token: %+v", got)
	}
	if got, _ := joinOnce(t, private, "9.9.9.9:1", &visitor{room: 1300}, tracker.Join{Key: key, Access: tracker.AccessTo("sesam", key)}); got.Refused != tracker.ReasonToken {
		t.Errorf("with another token: %+v", got)
	}
	if got, _ := joinOnce(t, private, "9.9.9.9:1", &visitor{room: 1300}, tracker.Join{Key: key, Access: tracker.AccessTo("sesame", key)}); got.Refused != "" || len(got.Result.Peers) != 1 {
		t.Errorf("with the token: %+v", got)
	}
	private.Reconfigure(50, "")
	slow := door(tr, tracker.JoinConfig{Rate: 1, Burst: 2})
	for i, want := range []tracker.Reason{"", "", tracker.ReasonRate} {
		if got, _ := joinOnce(t, slow, "9.9.9.9:1", &visitor{room: 1300}, tracker.Join{Key: key}); got.Refused != want || want != "" && got.RetryAfter == 0 {
			t.Errorf("question %d: %+v", i, got)
		}
	}
	v := &visitor{room: 1300, answer: make(chan []byte, 1)}
	slow.Ask(netip.MustParseAddrPort("8.8.8.8:1"), []byte("what?"), v)
	if got, err := tracker.ParseJoined(key, <-v.answer); err != nil || got.Refused != tracker.ReasonMalformed {
		t.Errorf("nonsense: %+v, %v", got, err)
	}
	s := tr.Stats(storetest.Start(), storetest.Start())
	if s.Refused[tracker.ReasonToken] != 2 || s.Refused[tracker.ReasonRate] != 1 || s.Refused[tracker.ReasonMalformed] != 1 || s.Joins != 7 {
		t.Errorf("counted %+v", s)
	}
}

// TestCompletePeersGetNoList: who has everything gets statements and no peers, by either door.
func TestCompletePeersGetNoList(t *testing.T) {
	tr, key := crowded(t, 5)
	got, _ := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:1", &visitor{room: 11000}, tracker.Join{Key: key, Has: true})
	api, err := tr.Lookup(storetest.Start(), netip.MustParseAddr("9.9.9.9"), tracker.LookupRequest{Keys: tracker.Keys{key}, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	for door, r := range map[string]tracker.Result{"UDP": got.Result, "HTTP": api.Results[0]} {
		if len(r.Peers) != 0 || len(r.Statements) != 5 {
			t.Errorf("%s: %d peers, %d statements", door, len(r.Peers), len(r.Statements))
		}
	}
}

func TestASettlingTrackerSaysSo(t *testing.T) {
	now := storetest.Start()
	tr := newTracker(t, tracker.Config{Settled: now.Add(90 * time.Second)})
	key := storetest.Key("page")
	for after, want := range map[time.Duration]int64{0: 90, 30500 * time.Millisecond: 60, 90 * time.Second: 0, time.Hour: 0} {
		api, err := tr.Lookup(now.Add(after), netip.MustParseAddr("9.9.9.9"), tracker.LookupRequest{Keys: tracker.Keys{key}})
		if err != nil || api.Settling != want {
			t.Errorf("after %v: settling for %d s, want %d; %v", after, api.Settling, want, err)
		}
	}
	if got, _ := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:1", &visitor{room: 1300}, tracker.Join{Key: key}); got.Settling != 90 {
		t.Errorf("by one datagram: %d", got.Settling)
	}
}

// TestALostNodeIsToldLikeARestart: what it held may be missing for an interval.
func TestALostNodeIsToldLikeARestart(t *testing.T) {
	now := storetest.Start()
	var lost time.Time
	tr := newTracker(t, tracker.Config{TTL: time.Minute, LostAt: func() time.Time { return lost }})
	for _, want := range []int64{0, 50} {
		api, err := tr.Lookup(now, netip.MustParseAddr("9.9.9.9"), tracker.LookupRequest{Keys: tracker.Keys{storetest.Key("page")}})
		if err != nil || api.Settling != want {
			t.Errorf("settling for %d s, want %d; %v", api.Settling, want, err)
		}
		lost = now.Add(-10 * time.Second)
	}
}

var rewriteJoin = flag.Bool("rewrite", false, "write the examples of a join in docs/wire.md anew")

// TestJoinDoc: the question and the answer in docs/wire.md are those of a tracker.
func TestJoinDoc(t *testing.T) {
	const file = "../docs/wire.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr, key := crowded(t, 1)
	j := tracker.Join{Key: key, Want: 10, Port: 7001, Near: true}
	_, answer := joinOnce(t, door(tr, tracker.JoinConfig{}), "9.9.9.9:5000", &visitor{room: 1355, tokens: true}, j)
	for fence, b := range map[string][]byte{"join": j.Append(nil), "joined": answer} {
		block := regexp.MustCompile("(?s)```" + fence + "\n(.*?)```")
		found := block.FindSubmatch(doc)
		if found == nil {
			t.Errorf("docs/wire.md shows no %s", fence)
			continue
		}
		if *rewriteJoin {
			doc = block.ReplaceAllLiteral(doc, []byte("```"+fence+"\n"+hexLines(b)+"```"))
			continue
		}
		shown, err := hex.DecodeString(strings.Join(strings.Fields(string(found[1])), ""))
		if err != nil || !bytes.Equal(shown, b) {
			t.Errorf("%s in docs/wire.md is not what is sent (%v):\n%s", fence, err, hexLines(b))
		}
	}
	if *rewriteJoin {
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func hexLines(b []byte) string {
	var out strings.Builder
	for line := range slices.Chunk(b, 32) {
		out.WriteString(hex.EncodeToString(line) + "\n")
	}
	return out.String()
}

// FuzzJoin: a question that is read is written the same.
func FuzzJoin(f *testing.F) {
	f.Add(tracker.Join{Key: storetest.Key("a"), Want: 3, Port: 7000, Near: true, Has: true}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if j, err := tracker.ParseJoin(b); err == nil && !bytes.Equal(j.Append(nil), b) {
			t.Fatalf("%x is read as %+v", b, j)
		}
	})
}

// FuzzJoined: no answer makes the reader do more than its length allows, nor name more than is allowed.
func FuzzJoined(f *testing.F) {
	tr, key := crowded(f, 3)
	_, b := joinOnce(f, door(tr, tracker.JoinConfig{}), "9.9.9.9:1", &visitor{room: 11000, tokens: true}, tracker.Join{Key: key})
	f.Add(b)
	fetched, _ := meetingAt(f, tracker.Config{}, 2, 2)
	_, b = joinOnce(f, door(fetched, tracker.JoinConfig{}), "9.9.9.9:1", &visitor{room: 11000, tokens: true}, tracker.Join{Key: key})
	f.Add(b)
	f.Add([]byte{1, 1, 2, 4, 'b', 'u', 's', 'y'})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := tracker.ParseJoined(key, b)
		if err != nil {
			return
		}
		if len(j.Result.Peers) > tracker.MaxWant || len(j.Result.Statements) > tracker.MaxStatements || len(j.Refused) > 64 {
			t.Fatalf("%+v", j)
		}
		for _, p := range j.Result.Peers {
			if len(p.Transports) > tracker.MaxTransports || len(p.Ticket) > tracker.MaxTicket {
				t.Fatalf("%+v", p)
			}
		}
		for _, fmd := range j.Result.FMDs {
			if _, err := chunker.ParseHeader(fmd); err != nil {
				t.Fatal(err)
			}
		}
	})
}
