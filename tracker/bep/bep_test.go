package bep_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"nt/internal/safedial"
	"nt/tracker"
	"nt/tracker/bep"
	"nt/tracker/memory"
	"nt/tracker/storetest"
)

const room = 1500 // what the socket gives for an answer

func newServer(t testing.TB, change func(*bep.Config)) *bep.Server {
	t.Helper()
	cfg := bep.Config{Swarms: memory.NewTorrents(memory.TorrentConfig{}), PublicAddr: safedial.PublicAddr, Secret: tracker.Secret{7},
		Pace: tracker.NewPace(tracker.PaceConfig{Base: 30 * time.Minute, Most: time.Hour, PerSecond: 1e6})}
	if change != nil {
		change(&cfg)
	}
	s, err := bep.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *bep.Server, now time.Time, from string, in []byte) []byte {
	return s.Answer(now, netip.MustParseAddrPort(from), in, make([]byte, 0, room))
}

func connectRequest() []byte { return []byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00tran") }

func connect(t testing.TB, s *bep.Server, now time.Time, from string) []byte {
	t.Helper()
	out := ask(s, now, from, connectRequest())
	if len(out) != 16 || string(out[:8]) != "\x00\x00\x00\x00tran" || out[8] >= 0x80 {
		t.Fatalf("the answer to connect is %x", out)
	}
	return out[8:]
}

// announcement is a datagram of a leecher.
func announcement(id []byte, hash string, event, want int32, port uint16) []byte {
	b := append([]byte(nil), id...)
	b = append(b, "\x00\x00\x00\x01tran"...)
	b = append(b, hash...)
	b = append(b, "-NT0001-abcdefghijkl"...)
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint64(b, 9)
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(event))
	b = append(b, 10, 0, 0, 1) // an address it would like to have; not used
	b = append(b, "keyy"...)
	b = binary.BigEndian.AppendUint32(b, uint32(want))
	return binary.BigEndian.AppendUint16(b, port)
}

var hashA = strings.Repeat("A", 20)

func TestUDPAnnounceAndScrape(t *testing.T) {
	s, now := newServer(t, nil), storetest.Start()
	for i := range 3 {
		from := fmt.Sprintf("11.1.%d.1:5000", i)
		out := ask(s, now, from, announcement(connect(t, s, now, from), hashA, 2, -1, uint16(7000+i)))
		interval, leechers := binary.BigEndian.Uint32(out[8:]), binary.BigEndian.Uint32(out[12:])
		if string(out[:8]) != "\x00\x00\x00\x01tran" || interval < 900 || interval > 1800 || int(leechers) != i+1 || len(out) != 20+6*i {
			t.Fatalf("announcement %d: %x", i, out)
		}
		if i == 1 && !bytes.Equal(out[20:], []byte{11, 1, 0, 1, 7000 >> 8, 7000 & 255}) {
			t.Errorf("the first peer is %x", out[20:])
		}
	}
	from := "[2001:4860::1]:9"
	if out := ask(s, now, from, announcement(connect(t, s, now, from), hashA, 0, 5, 7)); len(out) != 20 || out[15] != 4 {
		t.Errorf("an IPv6 peer among IPv4 ones: %x", out)
	}
	from = "11.9.9.9:1"
	id := connect(t, s, now, from)
	scrape := append(append([]byte(nil), id...), "\x00\x00\x00\x02tran"...)
	out := ask(s, now, from, append(scrape, hashA+strings.Repeat("B", 20)...))
	if want := "000000027472616e"; hex.EncodeToString(out[:8]) != want || len(out) != 8+24 || out[19] != 4 {
		t.Errorf("scrape: %x", out)
	}
	if out := ask(s, now, "11.1.0.1:5000", announcement(connect(t, s, now, "11.1.0.1:5000"), hashA, 3, -1, 7000)); len(out) != 20 || out[15] != 3 {
		t.Errorf("stopped: %x", out)
	}
}

// Row 16, for every type of datagram and for garbage: before a connection id has
// come back from an address no more goes to it than came from it.
func TestRow16_NothingIsAmplifiedBeforeTheGate(t *testing.T) {
	s, now := newServer(t, nil), storetest.Start()
	for i := range 40 { // a swarm worth asking for
		from := fmt.Sprintf("11.1.%d.1:5000", i)
		ask(s, now, from, announcement(connect(t, s, now, from), hashA, 2, -1, 7000))
	}
	foreign := connect(t, s, now, "12.1.1.1:5000")
	old := connect(t, s, now.Add(-10*time.Minute), "13.1.1.1:5000")
	for _, id := range [][]byte{make([]byte, 8), foreign, old, connectRequest()[:8], bytes.Repeat([]byte{255}, 8)} {
		for action := range 6 {
			for _, size := range []int{0, 1, 8, 15, 16, 17, 36, 97, 98, 200, 1500} {
				in := announcement(id, hashA, 0, 200, 7000)
				in[11] = byte(action)
				in = append(in, make([]byte, 1500)...)[:size]
				if out := ask(s, now, "13.1.1.1:5000", in); len(out) > len(in) {
					t.Errorf("action %d, id %x: %d bytes for %d", action, id, len(out), len(in))
				}
			}
		}
	}
	if n := s.Counters().BadConnection.Load(); n == 0 {
		t.Error("no bad connection id is counted")
	}
}

func TestConnectionIDsHoldForTwoEpochsAtMost(t *testing.T) {
	s, now := newServer(t, nil), storetest.Start()
	const from = "11.1.1.1:5000"
	id := connect(t, s, now, from)
	for after, want := range map[time.Duration]bool{0: true, time.Minute: true, 2 * time.Minute: true, 4*time.Minute + time.Second: false, 8 * time.Minute: false} {
		out := ask(s, now.Add(after), from, announcement(id, hashA, 0, 0, 7000))
		if ok := out[3] == 1; ok != want {
			t.Errorf("after %v the id holds: %v", after, ok)
		}
	}
	if out := ask(s, now, "11.1.1.1:6000", announcement(id, hashA, 0, 0, 7000)); out[3] != 1 {
		t.Error("the id does not hold on another port of the same address")
	}
	if a, b := connect(t, newServer(t, nil), now, from), connect(t, s, now, from); !bytes.Equal(a, b) {
		t.Error("with the same secret after a restart ids differ")
	}
}

func TestRow11_OnlyPublicSeenAddressesAreTaken(t *testing.T) {
	s, now := newServer(t, nil), storetest.Start()
	for _, from := range []string{"10.0.0.1:5", "127.0.0.1:5", "169.254.169.254:5", "[::1]:5", "[fe80::1]:5", "224.0.0.1:5"} {
		if out := ask(s, now, from, announcement(connect(t, s, now, from), hashA, 0, 50, 7000)); out[3] != 3 {
			t.Errorf("%s is taken: %x", from, out)
		}
	}
	const from = "11.1.1.1:5000"
	if out := ask(s, now, from, announcement(connect(t, s, now, from), hashA, 0, 50, 0)); out[3] != 3 {
		t.Errorf("port 0 is taken: %x", out)
	}
	if out := ask(s, now, from, announcement(connect(t, s, now, from), hashA, 0, 50, 1)); len(out) != 20 {
		t.Errorf("somebody is named: %x", out)
	}
	if s.Counters().Address.Load() != 6 {
		t.Error("the refusals are not counted")
	}
}

func TestOnlyListedTorrents(t *testing.T) {
	listed := tracker.InfoHash([]byte(hashA))
	s, now := newServer(t, func(c *bep.Config) { c.Listed = func(h tracker.InfoHash) bool { return h == listed } }), storetest.Start()
	const from = "11.1.1.1:5000"
	id := connect(t, s, now, from)
	if out := ask(s, now, from, announcement(id, hashA, 0, 0, 1)); out[3] != 1 {
		t.Errorf("a listed torrent is refused: %x", out)
	}
	if out := ask(s, now, from, announcement(id, strings.Repeat("B", 20), 0, 0, 1)); out[3] != 3 || s.Counters().Unlisted.Load() != 1 {
		t.Errorf("an unlisted torrent is taken: %x", out)
	}
}

func TestPrivateTrackersWantTheirToken(t *testing.T) {
	s, now := newServer(t, func(c *bep.Config) { c.Token = func() string { return "open sesame" } }), storetest.Start()
	const from = "11.1.1.1:5000"
	id := connect(t, s, now, from)
	for options, ok := range map[string]bool{
		"": false, "\x02\x01/": false, "\x02\x19/announce?token=open%20ses": false, "\x02\x1d/announce?token=open%20sesamz": false,
		"\x02\x1b/announce?token=open+sesame": true, "\x01\x02\x10/announce?token=\x02\x0bopen+sesame\x00": true, "\x02\xff/announce?token=open+sesame": false,
	} {
		if out := ask(s, now, from, append(announcement(id, hashA, 0, 0, 1), options...)); (out[3] == 1) != ok {
			t.Errorf("with %q: %q", options, out)
		}
	}
	if out := ask(s, now, from, append(append(append([]byte(nil), id...), "\x00\x00\x00\x02tran"...), hashA...)); out[3] != 3 {
		t.Errorf("scrape: %q", out)
	}
	for query, ok := range map[string]bool{"": false, "&token=x": false, "&token=open%20sesame": true} {
		if out := httpAnnounce(s, "11.1.1.1", "port=1&info_hash="+url.QueryEscape(hashA)+query); strings.Contains(out, "private") == ok {
			t.Errorf("HTTP with %q: %q", query, out)
		}
		w := httptest.NewRecorder()
		s.ServeScrape(w, httptest.NewRequest("GET", "/scrape?info_hash="+url.QueryEscape(hashA)+query, nil), now)
		if strings.Contains(w.Body.String(), "private") == ok {
			t.Errorf("HTTP scrape with %q: %q", query, w.Body)
		}
	}
}

func httpAnnounce(s *bep.Server, from, query string) string {
	w := httptest.NewRecorder()
	s.ServeAnnounce(w, httptest.NewRequest("GET", "/announce?"+query, nil), storetest.Start(), netip.MustParseAddr(from))
	return w.Body.String()
}

func TestHTTPAnnounceAndScrape(t *testing.T) {
	s := newServer(t, nil)
	hash := url.QueryEscape(hashA)
	if out := httpAnnounce(s, "11.1.1.1", "info_hash="+hash+"&peer_id=x&port=258&left=0&compact=1"); !strings.HasPrefix(out, "d8:completei1e10:incompletei0e8:intervali") || !strings.HasSuffix(out, "e5:peers0:e") {
		t.Errorf("a seed: %q", out)
	}
	if out := httpAnnounce(s, "11.1.2.1", "info_hash="+hash+"&port=258&left=5"); !strings.HasSuffix(out, "5:peers6:\x0b\x01\x01\x01\x01\x02e") {
		t.Errorf("a leecher: %q", out)
	}
	if out := httpAnnounce(s, "2001:4860::1", "info_hash="+hash+"&port=258&left=5"); !strings.HasSuffix(out, "5:peers0:6:peers60:e") {
		t.Errorf("an IPv6 leecher: %q", out)
	}
	w := httptest.NewRecorder()
	s.ServeScrape(w, httptest.NewRequest("GET", "/scrape?info_hash="+hash, nil), storetest.Start())
	if got, want := w.Body.String(), "d5:filesd20:"+hashA+"d8:completei1e10:downloadedi0e10:incompletei2eeee"; got != want {
		t.Errorf("scrape: %q, want %q", got, want)
	}
}

func TestHTTPRefusals(t *testing.T) {
	s := newServer(t, nil)
	hash := url.QueryEscape(hashA)
	for query, why := range map[string]string{
		"":                                      "info_hash is missing",
		"info_hash=abc&port=1":                  "info_hash must be 20 bytes, once",
		"info_hash=" + hash:                     "no port",
		"info_hash=" + hash + "&port=0":         "no port",
		"info_hash=" + hash + "&port=70000":     "port is no such number",
		"info_hash=" + hash + "&port=1&left=-1": "left is no such number",
		"info_hash=" + hash + "&port=1&event=x": "event is none of BEP 3",
		"info_hash=%zz&port=1":                  "the query is not well escaped",
		"x=" + strings.Repeat("a", 3000):        "the query is too long",
		"info_hash=" + hash + "&info_hash=" + hash + "&port=1": "info_hash must be 20 bytes, once",
	} {
		want := fmt.Sprintf("d14:failure reason%d:%se", len(why), why)
		if got := httpAnnounce(s, "11.1.1.1", query); got != want {
			t.Errorf("%.60q: %q, want %q", query, got, want)
		}
	}
	w := httptest.NewRecorder()
	s.ServeScrape(w, httptest.NewRequest("GET", "/scrape", nil), storetest.Start())
	if !strings.Contains(w.Body.String(), "a full scrape is not served") {
		t.Errorf("a full scrape: %q", w.Body)
	}
}

func FuzzDatagram(f *testing.F) {
	s, now := newServer(f, nil), storetest.Start()
	const from = "11.1.1.1:5000"
	id := connect(f, s, now, from)
	f.Add(connectRequest(), false)
	f.Add(announcement(id, hashA, 2, -1, 7000), true)
	f.Add(append(append([]byte(nil), id...), "\x00\x00\x00\x02tran"+hashA...), true)
	f.Fuzz(func(t *testing.T, in []byte, gated bool) {
		if gated && len(in) >= 8 {
			in = append(append([]byte(nil), id...), in[8:]...)
		}
		out := ask(s, now, from, in)
		if len(out) > 1232 || len(out) > 0 && (len(in) < 16 || !bytes.Equal(out[4:8], in[12:16])) {
			t.Errorf("%x is answered with %x", in, out)
		}
		if !gated && (len(in) < 8 || !bytes.Equal(in[:8], id)) && len(out) > len(in) {
			t.Errorf("%d bytes for %d", len(out), len(in))
		}
	})
}

func FuzzQuery(f *testing.F) {
	s := newServer(f, nil)
	f.Add("info_hash=" + url.QueryEscape(hashA) + "&port=1&left=0&numwant=5&event=started")
	f.Add("info_hash=%41&port=%3")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/announce", nil)
		r.URL.RawQuery = query
		for _, serve := range []func(w *httptest.ResponseRecorder){
			func(w *httptest.ResponseRecorder) {
				s.ServeAnnounce(w, r, storetest.Start(), netip.MustParseAddr("11.1.1.1"))
			},
			func(w *httptest.ResponseRecorder) { s.ServeScrape(w, r, storetest.Start()) },
		} {
			w := httptest.NewRecorder()
			serve(w)
			if b := w.Body.Bytes(); len(b) < 2 || b[0] != 'd' || b[len(b)-1] != 'e' || w.Code != 200 {
				t.Errorf("%q is answered with %d %q", query, w.Code, b)
			}
		}
	})
}
