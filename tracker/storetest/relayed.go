package storetest

import (
	"fmt"
	"testing"
	"time"

	"nt/tracker"
)

// testRelayed: a peer that has its copy from others holds it under its witness's
// statement, which gives nobody's group a vote and takes none from the witness.
func testRelayed(e env) {
	now := Start()
	witness := NewPeer(1, "1.2.3.4:7000")
	said := witness.State("a", "object", now)
	for i := range 20 {
		e.announce(now, NewPeer(100+i, fmt.Sprintf("%d.1.1.4:7000", 10+i)), said)
	}
	sw := e.lookup(now, "a", 50)
	if len(sw.Holders) != 20 || len(sw.Statements) != 1 || !sw.Statements[0].Relayed {
		e.Fatalf("%d holders, statements %+v", len(sw.Holders), sw.Statements)
	}
	e.announce(now, witness, said)
	mustBeOwn(e.T, e.lookup(now, "a", 50), now)
	// Neither the same words nor newer ones in another's mouth take the vote away.
	e.announce(now.Add(time.Second), NewPeer(100, "10.1.1.4:7000"), said)
	e.announce(now.Add(time.Second), NewPeer(101, "11.1.1.4:7000"), witness.State("a", "object", now.Add(time.Second)))
	mustBeOwn(e.T, e.lookup(now, "a", 50), now)
	for i := range 20 { // and few of many witnesses' words are kept
		other := NewPeer(200+i, "1.1.1.1:1")
		e.announce(now.Add(2*time.Second), NewPeer(102, "12.1.1.4:7000"), other.State("a", "object", now))
	}
	if n := len(e.lookup(now, "a", 50).Statements); n < 2 || n > 4 {
		e.Errorf("%d statements are kept", n)
	}
}

func mustBeOwn(t *testing.T, sw tracker.Swarm, logged time.Time) {
	t.Helper()
	if len(sw.Statements) != 1 || sw.Statements[0].Relayed || sw.Statements[0].LoggedAt != logged.Unix() {
		t.Fatalf("statements %+v", sw.Statements)
	}
}
