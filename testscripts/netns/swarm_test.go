package netns

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// town is a network of real nt processes: a tracker that is a notary, an origin with one
// page, and a first holder if there is one.
type town struct {
	*lab
	tracker, origin, seed *program
	at                    string // the tracker's address
	page                  string // its URL
	body                  []byte
}

const (
	seedIP    = "203.0.113.11"
	proxyAddr = "127.0.0.1:3128"
)

// startTown starts tracker and origin at an address of the hub.
func startTown(l *lab, ip string, size int) *town {
	l.t.Helper()
	w := &town{lab: l, at: ip + ":7070", page: "http://" + ip + ":8000/page.bin", body: make([]byte, size)}
	rand.NewChaCha8([32]byte{1}).Read(w.body)
	site := filepath.Join(l.dir, "site")
	if err := os.MkdirAll(site, 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(site, "page.bin"), w.body, 0o600); err != nil {
		l.t.Fatal(err)
	}
	w.origin = l.origin("hub", ip+":8000", site)
	w.tracker = l.nt("hub", "tracker", "--listen", w.at)
	w.tracker.line("nt: tracker listening on (.*)")
	return w
}

// newTown adds a first holder; when it returns the tracker vouches for the page and the
// origin is dead.
func newTown(l *lab, size int) *town {
	l.t.Helper()
	w := startTown(l, "203.0.113.10", size)
	w.seed = w.peer("hub", seedIP+":4001")
	w.read("hub")
	w.vouched()
	w.origin.kill()
	return w
}

// vouched waits until the tracker has seen the page itself.
func (w *town) vouched() {
	w.t.Helper()
	w.poll("hub", "http://"+w.at+"/v1/stats", `"stated":1`)
}

// peer starts nt peer with a proxy in a box.
func (w *town) peer(box, listen string, args ...string) *program {
	w.t.Helper()
	p := w.nt(box, append([]string{"peer", "--tracker", w.at, "--listen", listen, "--proxy", "--proxy-addr", proxyAddr, "--admin-addr", "127.0.0.1:0"}, args...)...)
	p.line("nt: admin listening on (.*)")
	return p
}

// holders waits until the tracker knows so many peers.
func (w *town) holders(n int) {
	w.t.Helper()
	w.poll("hub", "http://"+w.at+"/v1/stats", `"peers":`+strconv.Itoa(n)+`\b`)
}

// read reads the page in boxes at the same time, each through its own peer, and checks
// what they got.
func (w *town) read(boxes ...string) {
	w.t.Helper()
	w.readWhile(func() {}, boxes...)
}

// readWhile is read; meanwhile is called when all have started.
func (w *town) readWhile(meanwhile func(), boxes ...string) {
	w.t.Helper()
	var all []*program
	for _, box := range boxes {
		all = append(all, w.browse(box, proxyAddr, w.page))
	}
	meanwhile()
	for i, p := range all {
		if code := p.wait(); code != 0 || !bytes.Equal([]byte(p.out.String()), w.body) {
			w.t.Errorf("%s: exit %d, %d bytes: %s", boxes[i], code, len(p.out.String()), p.errs.String())
		}
	}
}

// received is how many bytes a box has from its neighbours. It has them in another order
// than its reader.
func (w *town) received(box string) (sum int64) {
	w.t.Helper()
	for _, n := range w.status(box).Neighbours {
		sum += n.Received
	}
	return sum
}

// begun waits until a box has something from its neighbours.
func (w *town) begun(box string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); w.received(box) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: nothing comes", box)
		}
	}
}

// got says where a box has its bytes from, which must all be peers.
func (w *town) got(box string) report {
	w.t.Helper()
	r := w.status(box)
	w.t.Logf("%s: %v", box, r.Neighbours)
	if r.BySource["peers"] != int64(len(w.body)) || r.BySource["origin"] != 0 {
		w.t.Errorf("%s: %v, want %d from peers", box, r.BySource, len(w.body))
	}
	for _, n := range r.Neighbours {
		if n.Transport != "roulette" {
			w.t.Errorf("%s: %d bytes came over %s", box, n.Received, n.Transport)
		}
	}
	return r
}

// Eight peers behind two NATs, four behind each. Two read the page from the first holder,
// which is killed while the next four are reading; the last two never see it, nor anybody
// alive behind their own NAT. Who has the page serves on. Each peer's own figures say whose
// bytes they were: everybody behind a NAT has the NAT's address.
func TestSwarmBehindTwoNATsOutlivesItsSeed(t *testing.T) {
	l := newPublic(t)
	a, b := []string{"a1", "a2", "a3", "a4"}, []string{"b1", "b2", "b3", "b4"}
	l.house(1, "ga", fullConeFor(1, len(a)), a...)
	l.house(2, "gb", portRestricted, b...)
	const houseA, houseB = "203.0.113.1", "203.0.113.2"
	w := newTown(l, 1<<20)
	peers := make(map[string]*program)
	for _, house := range [][]string{a, b} {
		for i, box := range house {
			peers[box] = w.peer(box, "0.0.0.0:"+strconv.Itoa(insidePort+i))
		}
	}

	w.read("a1", "b1")
	for _, box := range []string{"a1", "b1"} {
		if w.got(box).from(seedIP) == 0 {
			t.Errorf("%s got nothing from the first holder", box)
		}
	}
	w.holders(3)

	for _, gw := range []string{"ga", "gb"} { // slow enough that the kill comes in the middle
		l.downlink(gw, 1, "3mbit")
		l.downlink(gw, 2, "3mbit")
	}
	second := []string{"a2", "b2", "a3", "b3"}
	w.readWhile(func() {
		for _, box := range second {
			w.begun(box)
		}
		w.seed.kill()
		for _, box := range second {
			if w.received(box) >= int64(len(w.body)) {
				t.Errorf("%s had everything before the first holder was killed: the test proves nothing", box)
			}
		}
	}, second...)
	for _, box := range second {
		if r := w.got(box); r.from(houseA)+r.from(houseB) == 0 {
			t.Errorf("%s got nothing from behind the NATs", box)
		}
	}

	for _, last := range []struct {
		box, other string
		gone       []string
	}{
		{"a4", houseB, a[:3]},
		{"b4", houseA, b[:3]}, // a4 alone is left, which had everything from behind this NAT
	} {
		for _, box := range last.gone {
			peers[box].kill()
		}
		w.read(last.box)
		if r := w.got(last.box); r.from(last.other) != int64(len(w.body)) {
			t.Errorf("%s: want all from behind the other NAT", last.box)
		}
	}
}

// Two symmetric NATs: nothing can be punched. The reader is told why and goes on with who
// can be reached, if there is anybody. It takes two others who see it to know that it is
// behind such a NAT itself: two trackers.
func TestSymmetricToSymmetricSaysWhyAndFallsBack(t *testing.T) {
	l := newPublic(t)
	l.house(1, "ga", symmetric, "a")
	l.house(2, "gb", symmetric, "b")
	w := newTown(l, 100<<10)
	w.peer("a", "0.0.0.0:4001")
	w.read("a")
	w.holders(2)
	w.seed.kill()

	const second = seedIP + ":7071"
	w.nt("hub.two", "tracker", "--listen", second, "--no-notary").line("nt: tracker listening on (.*)")
	for _, c := range []struct{ reason, more string }{
		{"that peer is behind a symmetric NAT", ""},
		{"both sides are behind symmetric NATs", second},
	} {
		args := []string{}
		if c.more != "" {
			args = append(args, "--tracker", c.more)
		}
		p := w.fetch("b", args...)
		if code := p.wait(); code != 11 || !regexp.MustCompile(`nt: error: .*over roulette: .*`+c.reason+`.*; over http: `).MatchString(p.errs.String()) {
			t.Errorf("exit %d, want 11 and the reason %q:\n%s", code, c.reason, p.errs.String())
		}
		t.Log(p.errs.String())
	}

	w.seed = w.peer("hub", seedIP+":4001") // with what it had
	p := w.fetch("b")
	var r report
	p.report(&r)
	t.Log(p.errs.String(), r.ByPeer)
	if r.from(seedIP) != int64(len(w.body)) {
		t.Errorf("got %v, want all from %s", r.ByPeer, seedIP)
	}
}

// fetch starts nt fetch in a box; where nobody answers it gives up soon.
func (w *town) fetch(box string, args ...string) *program {
	w.t.Helper()
	const config = `[transport.http]
max_rounds = 1
first_byte_timeout = "1s"
[transport.bittorrent]
no_progress_timeout = "2s"
max_rounds = 1
`
	file := filepath.Join(w.dir, box+".toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.nt(box, append([]string{"fetch", "--config", file, "--tracker", w.at, "--json", "-o", w.out(box), w.page}, args...)...)
}

// out is where fetch puts the page.
func (w *town) out(box string) string { return filepath.Join(w.dir, box, "out") }
