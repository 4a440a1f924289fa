package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/go-cmp/cmp"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

func equalAddr(a, b netip.AddrPort) bool { return a == b }

func testEmpty(e env) {
	sw := e.lookup(Start(), "nobody", 10)
	if len(sw.Holders) != 0 || len(sw.Statements) != 0 || sw.FirstOutage != 0 {
		e.Fatalf("an unknown key has %+v", sw)
	}
}

func testFound(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	st := p.State("a", "object", now)
	e.announce(now, p, st, p.State("b", "other", now))
	sw := e.lookup(now, "a", 10)
	want := []tracker.Holder{{
		ID: p.ID(), Addr: p.Addr, Transports: []string{"http", "roulette"}, Object: Object("object"),
		Announced: now.Unix(), Expires: now.Add(TTL).Unix(),
	}}
	if d := cmp.Diff(want, sw.Holders, cmp.Comparer(equalAddr)); d != "" {
		e.Error(d)
	}
	kept := []tracker.Kept{{Statement: st, LoggedAt: now.Unix(), From: tracker.NarrowGroup(p.Addr.Addr())}}
	if d := cmp.Diff(kept, sw.Statements); d != "" {
		e.Error(d)
	}
	if err := sw.Statements[0].Statement.Verify(); err != nil {
		e.Error("the statement came back changed:", err)
	}
	if st := e.s.Stats(now); st.Keys != 2 || st.Peers != 2 || st.Statements != 2 || st.Bytes <= 0 {
		e.Errorf("stats: %+v", st)
	}
}

func testExpiry(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "object", now))
	if len(e.holders(now.Add(TTL-time.Second), "a")) != 1 {
		e.Error("gone before its time")
	}
	if len(e.holders(now.Add(TTL), "a")) != 0 {
		e.Error("there after its time")
	}
	if st := e.s.Stats(now.Add(TTL + time.Minute)); st.Peers != 0 {
		e.Errorf("%d holdings remain in memory", st.Peers)
	}
}

func testRenew(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	for range 20 {
		e.announce(now, p, p.State("a", "object", now))
		now = now.Add(TTL / 2)
	}
	if len(e.holders(now, "a")) != 1 {
		e.Error("a renewed holder is gone")
	}
	if st := e.s.Stats(now); st.Peers != 1 || st.Keys != 1 || st.Statements != 1 {
		e.Errorf("stats: %+v", st)
	}
}

func testLeave(e env) {
	p, q, now := NewPeer(1, "1.2.3.4:7000"), NewPeer(2, "2.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "object", now), p.State("b", "object", now), p.State("c", "object", now))
	e.announce(now, q, q.State("a", "object", now))
	if err := e.s.Leave(now, p.ID(), now.Unix()+1); err != nil {
		e.Fatal(err)
	}
	if got := e.holders(now, "a"); len(got) != 1 || got[q.ID()].Addr != q.Addr {
		e.Errorf("holders of a: %v", got)
	}
	if len(e.holders(now, "b"))+len(e.holders(now, "c")) != 0 {
		e.Error("a peer that left is handed out")
	}
	if err := e.s.Leave(now, NewPeer(9, "9.9.9.9:1").ID(), now.Unix()); err != nil {
		e.Errorf("an unknown peer leaves: %v", err)
	}
	later := now.Add(time.Minute)
	e.announce(later, p, p.State("b", "object", later))
	if len(e.holders(later, "b")) != 1 || len(e.holders(later, "c")) != 0 {
		e.Error("a peer that came back holds something else than it announced")
	}
}

func refusal(err error) tracker.Reason {
	var r *tracker.RefusedError
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

func testStale(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "object", now))
	say := func(q Peer, at time.Time) tracker.Reason {
		_, err := e.s.Announce(now, TTL, q.Announcer(at), []resource.Statement{p.State("a", "object", now)})
		return refusal(err)
	}
	thief := p
	thief.Addr = NewPeer(2, "1.2.3.9:1").Addr
	if r := say(thief, now); r != tracker.ReasonStale {
		e.Errorf("a replay from elsewhere: %q", r)
	}
	if r := say(p, now.Add(-time.Second)); r != tracker.ReasonStale {
		e.Errorf("an older message: %q", r)
	}
	if r := say(p, now); r != "" {
		e.Errorf("a second batch in the same second: %q", r)
	}
	if err := e.s.Leave(now, p.ID(), now.Unix()-1); refusal(err) != tracker.ReasonStale {
		e.Errorf("an older leave: %v", err)
	}
	if len(e.holders(now, "a")) != 1 {
		e.Error("the holder is gone")
	}
}

func testMoved(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "object", now))
	for i, addr := range []string{"1.2.3.99:7001", "5.6.7.8:7000"} { // within its network, then into another
		q, later := NewPeer(1, addr), now.Add(time.Duration(i+1)*time.Minute)
		e.announce(later, q, q.State("a", "object", now))
		if got := e.lookup(later, "a", 10).Holders; len(got) != 1 || got[0].Addr != q.Addr {
			e.Errorf("after moving to %s: %v", addr, got)
		}
	}
}

func testSample(e env) {
	const size, want, rounds = 400, 20, 400
	now := Start()
	for i := range size {
		p := NewPeer(i, fmt.Sprintf("%d.%d.3.4:7000", 1+i%100, i/100))
		e.announce(now, p, p.State("a", "object", now))
	}
	seen := map[transport.PeerID]int{}
	for range rounds {
		got := e.lookup(now, "a", want).Holders
		distinct := map[transport.PeerID]bool{}
		for _, h := range got {
			seen[h.ID]++
			distinct[h.ID] = true
		}
		if len(distinct) != want {
			e.Fatalf("%d distinct holders, want %d", len(distinct), want)
		}
	}
	// Every peer is expected 20 times; 1 or 60 times is beyond eight sigma.
	if len(seen) != size {
		e.Errorf("only %d of %d peers were ever drawn", len(seen), size)
	}
	for id, n := range seen {
		if n > 60 {
			e.Errorf("%s was drawn %d times, 20 are expected", id.Short(), n)
		}
	}
	if n := len(e.lookup(now, "a", 2*size).Holders); n != size {
		e.Errorf("asked for more than there are: %d", n)
	}
}

func testReport(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "object", now))
	for i, want := range []bool{true, false, true, true} {
		group := []tracker.Group{10, 10, 20, 30}[i]
		if got, err := e.s.Report(now, Key("a"), p.ID(), group); got != want || err != nil {
			e.Errorf("report %d counted: %v, %v", i, got, err)
		}
	}
	if got := e.holders(now, "a")[p.ID()].Failures; got != 3 {
		e.Errorf("%d failures, want 3", got)
	}
	if got, _ := e.s.Report(now, Key("b"), p.ID(), 10); got {
		e.Error("a report of a key the peer does not hold counted")
	}
	later := now
	for range 12 {
		later = later.Add(TTL / 2)
		e.announce(later, p, p.State("a", "object", later))
	}
	if got := e.holders(later, "a")[p.ID()].Failures; got != 0 {
		e.Errorf("reports of yesterday weigh %d", got)
	}
}

func testOutage(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("held", "object", now))
	for _, key := range []string{"held", "unheld"} {
		if sw := e.lookup(now.Add(time.Minute), key, 1); sw.FirstOutage != 0 {
			e.Errorf("%s: the first asker hears of an outage at %d", key, sw.FirstOutage)
		}
		if sw := e.lookup(now.Add(time.Hour), key, 1); sw.FirstOutage != now.Add(time.Minute).Unix() {
			e.Errorf("%s: first outage %d", key, sw.FirstOutage)
		}
	}
	later := now.Add(2 * time.Hour)
	e.announce(later, p, p.State("unheld", "object", later))
	if sw := e.lookup(later, "unheld", 1); sw.FirstOutage != now.Add(time.Minute).Unix() {
		e.Errorf("an announcement made the outage forgotten: %d", sw.FirstOutage)
	}
}

func testStatementsStay(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "object", now))
	sw := e.lookup(now.Add(2*TTL), "a", 10)
	if len(sw.Holders) != 0 || len(sw.Statements) != 1 || sw.Statements[0].LoggedAt != now.Unix() {
		e.Errorf("after the last holder: %+v", sw)
	}
}
