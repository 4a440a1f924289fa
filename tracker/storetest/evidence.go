package storetest

import (
	"fmt"
	"time"

	"nt/internal/resource"
	"nt/tracker"
)

func objects(sw tracker.Swarm) map[string]int {
	out := map[string]int{}
	for _, k := range sw.Statements {
		id := k.Statement.Object
		name := string(id[:])
		for len(name) > 0 && name[len(name)-1] == ' ' {
			name = name[:len(name)-1]
		}
		out[name]++
	}
	return out
}

func testNewest(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	e.announce(now, p, p.State("a", "old", now))
	e.announce(now, p, p.State("a", "new", now.Add(time.Minute)))
	e.announce(now, p, p.State("a", "old", now))
	if got := objects(e.lookup(now, "a", 10)); len(got) != 1 || got["new"] != 1 {
		e.Errorf("statements: %v", got)
	}
}

func testEarly(e env) {
	p, now := NewPeer(1, "1.2.3.4:7000"), Start()
	first := p.State("a", "object", now)
	e.announce(now, p, first)
	e.lookup(now.Add(time.Minute), "a", 1) // the outage
	later := now.Add(time.Hour)
	e.announce(later, p, p.State("a", "object", later))
	e.announce(later, p, p.State("a", "changed", later))
	sw := e.lookup(later, "a", 10)
	if got := objects(sw); got["object"] != 1 || got["changed"] != 1 {
		e.Fatalf("statements: %v", got)
	}
	for _, k := range sw.Statements {
		if k.Statement.Object == Object("object") && k.LoggedAt != now.Unix() {
			e.Errorf("the early statement is now of %d", k.LoggedAt)
		}
	}
}

func testBounded(e env) {
	now := Start()
	honest := NewPeer(9999, "99.1.1.1:7000")
	e.announce(now, honest, honest.State("a", "true", now))
	for i := range 500 { // a hundred networks, each with five versions
		p := NewPeer(i, fmt.Sprintf("%d.1.%d.4:7000", 1+i%90, i/90))
		e.s.Announce(now, TTL, p.Announcer(now), []resource.Statement{p.State("a", fmt.Sprint("v", i), now)})
		p = NewPeer(1000+i, fmt.Sprintf("%d.2.%d.4:7000", 1+i%90, i/90))
		e.s.Announce(now, TTL, p.Announcer(now), []resource.Statement{p.State("a", "true", now)})
	}
	sw := e.lookup(now, "a", 10)
	got := objects(sw)
	if len(got) > 8 || len(sw.Statements) > 64 {
		e.Errorf("%d versions and %d statements are kept of one key", len(got), len(sw.Statements))
	}
	if got["true"] < 3 {
		e.Errorf("the version that most networks vouch for has %d statements", got["true"])
	}
	groups := map[tracker.Group]int{}
	for _, k := range sw.Statements {
		if k.Statement.Object == Object("true") {
			if groups[k.From.Widen()]++; groups[k.From.Widen()] > 1 {
				e.Error("a network group has two votes")
			}
		}
	}
}

func testNotary(e env) {
	now := Start()
	for i := range 30 { // the versions are full before the notary comes
		p := NewPeer(i, fmt.Sprintf("%d.1.1.4:7000", 1+i))
		e.s.Announce(now, TTL, p.Announcer(now), []resource.Statement{p.State("a", fmt.Sprint("v", i), now)})
	}
	notary := NewPeer(7777, "50.1.1.1:1")
	seen := notary.State("a", "seen", now)
	seen.Place = resource.Place{Log: now.Unix() - 5, Seq: 300, Prev: resource.Digest{1}}
	if err := e.s.Keep(now, seen.Sign(notary.Key)); err != nil {
		e.Fatal(err)
	}
	for i := range 30 {
		p := NewPeer(100+i, fmt.Sprintf("%d.2.1.4:7000", 1+i))
		e.s.Announce(now, TTL, p.Announcer(now), []resource.Statement{p.State("a", fmt.Sprint("w", i), now)})
	}
	sw := e.lookup(now, "a", 10)
	if got := objects(sw); got["seen"] != 1 {
		e.Fatalf("the notary's statement is gone: %v", got)
	}
	for _, k := range sw.Statements {
		if err := k.Statement.Verify(); err != nil {
			e.Error(err)
		}
		if (k.Statement.Object == Object("seen")) != (k.From == 0) {
			e.Errorf("statement of %s is said to come from group %x", k.Statement.Witness.Short(), k.From)
		}
	}
}
