package netns

import (
	"strings"
	"testing"
)

// udpBlocked is a firewall, in front of a NAT, that lets no datagram pass.
const udpBlocked = `table ip nt_nat {
	chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
	chain forw { type filter hook forward priority filter; policy accept; meta l4proto udp drop; iifname "wan" ct state new drop; }
}`

// Where a firewall drops all UDP, Roulette finds that nothing comes back and the next
// transport takes over: nobody has to configure anything.
func TestBlockedUDPFallsBackToHTTP(t *testing.T) {
	l := newPublic(t)
	l.house(1, "ga", udpBlocked, "a", "a2")
	w := newTown(l, 1<<20)
	p := w.nt("a", "fetch", "--log-level", "debug", "--tracker", w.at, "--json", "-o", w.out("a"), w.page)
	var r report
	p.report(&r)
	t.Logf("%.1f s, %v", r.Seconds, r.ByTransport)
	if r.ByTransport["http"] != int64(len(w.body)) || len(r.ByTransport) != 1 {
		t.Errorf("came over %v, want all over http", r.ByTransport)
	}
	if errs := p.errs.String(); !strings.Contains(errs, "nothing at all came back by UDP") {
		t.Errorf("the reason is not told:\n%s", errs)
	}
	sameFile(t, w.out("a"), w.body)

	w.peer("a2", "0.0.0.0:4001") // a browser's reader fares the same
	w.read("a2")
	if s := w.status("a2"); len(s.Neighbours) != 1 || s.Neighbours[0].Transport != "http" || s.Neighbours[0].Received != int64(len(w.body)) {
		t.Errorf("neighbours %v, want one over http", s.Neighbours)
	}
}
