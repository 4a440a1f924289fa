package netns

import (
	"flag"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"nt/internal/testenv"
)

var (
	punches = flag.Int("punches", 1, "sessions to punch for the measurement")
	delay   = flag.String("delay", "", "one-way delay added on each gateway's wan, as tc netem takes it: 20ms")
)

// crowd is the public network's nodes and one node behind each gateway, with sessions between.
type crowd struct{ tracker, neighbour, a, b *process }

func (l *lab) public() crowd {
	l.t.Helper()
	return crowd{tracker: l.start("hub", "tracker", "203.0.113.10:7070"), neighbour: l.start("hub", "peer", "203.0.113.11:4001")}
}

// insiders starts a node behind each gateway that knows the introducers.
func (l *lab) insiders(c crowd, introducers ...*process) crowd {
	l.t.Helper()
	c.a, c.b = l.start("a", "peer", "0.0.0.0:0"), l.start("b", "peer", "0.0.0.0:0")
	for _, p := range []*process{c.a, c.b} {
		for _, i := range introducers {
			p.must("dial", i.id, i.addr)
		}
	}
	return c
}

func TestF43_ConeToConeThroughTheTracker(t *testing.T) {
	l := newLab(t, portRestricted, portRestricted)
	c := l.public()
	c = l.insiders(c, c.tracker)
	_, port, _ := strings.Cut(c.b.addr, ":") // the gateway keeps it
	if _, err := c.a.say("try", c.b.id, "203.0.113.2:"+port); err == nil {
		t.Error("a session opened through a NAT that nobody opened: the lab proves nothing")
	}
	t.Log(c.a.must("connect", c.b.id, "-", c.tracker.id))
}

func TestF44_ConeToConeThroughANeighbour(t *testing.T) {
	l := newLab(t, portRestricted, portRestricted)
	c := l.public()
	c = l.insiders(c, c.neighbour)
	t.Log(c.b.must("connect", c.a.id, "-", c.neighbour.id))
}

func TestF44_FullCone(t *testing.T) {
	l := newLab(t, fullCone, portRestricted)
	c := l.public()
	c = l.insiders(c, c.tracker, c.neighbour)
	t.Log(c.a.must("connect", c.b.id, "-", c.neighbour.id, c.tracker.id))
	if got := c.b.must("nat"); got != "cone" {
		t.Errorf("b finds its NAT %s", got)
	}
}

// The full cone lets the symmetric side's punch in from the port nobody named.
func TestFullConeToSymmetric(t *testing.T) {
	for _, from := range []string{"cone", "symmetric"} {
		t.Run("from the "+from+" side", func(t *testing.T) {
			l := newLab(t, fullCone, symmetric)
			c := l.public()
			c = l.insiders(c, c.tracker, c.neighbour)
			if got := c.b.must("nat"); got != "symmetric" {
				t.Errorf("b finds its NAT %s", got)
			}
			x, y := c.a, c.b
			if from == "symmetric" {
				x, y = c.b, c.a
			}
			t.Log(x.must("connect", y.id, "-", c.tracker.id))
		})
	}
}

func TestSymmetricToSymmetricFailsWithItsReason(t *testing.T) {
	l := newLab(t, symmetric, symmetric)
	c := l.public()
	c = l.insiders(c, c.tracker, c.neighbour)
	for _, p := range []*process{c.a, c.b} {
		if got := p.must("nat"); got != "symmetric" {
			t.Errorf("a node finds its NAT %s", got)
		}
	}
	_, err := c.a.say("connect", c.b.id, "-", c.tracker.id)
	if err == nil || !strings.HasPrefix(err.Error(), "symmetric") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

func TestPortRestrictedToSymmetricFails(t *testing.T) {
	l := newLab(t, portRestricted, symmetric)
	c := l.public()
	c = l.insiders(c, c.tracker, c.neighbour)
	if got := c.a.must("nat"); got != "cone" {
		t.Errorf("a finds its NAT %s", got)
	}
	_, err := c.b.say("connect", c.a.id, "-", c.tracker.id)
	if err == nil || !strings.HasPrefix(err.Error(), "noanswer") || !strings.Contains(err.Error(), "symmetric NAT") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

// TestPunchTime measures, each time between fresh ports, how long it takes from the
// question for an introduction to the open session and to the echo of the first message.
func TestPunchTime(t *testing.T) {
	l := newLab(t, portRestricted, portRestricted)
	if *delay != "" {
		_, err := exec.LookPath("tc")
		testenv.SkipUnless(t, err == nil, "needs the command tc")
		for _, gw := range []string{"ga", "gb"} {
			l.do("ip", "netns", "exec", l.ns(gw), "tc", "qdisc", "add", "dev", "wan", "root", "netem", "delay", *delay)
		}
	}
	c := l.public()
	var opened, echoed []time.Duration
	for range *punches {
		c = l.insiders(c, c.tracker)
		f := strings.Fields(c.a.must("connect", c.b.id, "-", c.tracker.id))
		for i, into := range []*[]time.Duration{&opened, &echoed} {
			d, err := time.ParseDuration(f[i])
			if err != nil {
				t.Fatal(err)
			}
			*into = append(*into, d)
		}
		c.a.close()
		c.b.close()
	}
	slices.Sort(opened)
	slices.Sort(echoed)
	at := func(d []time.Duration, share float64) time.Duration {
		return d[int(share*float64(len(d)-1))].Round(10 * time.Microsecond)
	}
	t.Logf("%d punches: open p50 %v, p95 %v; first byte p50 %v, p95 %v, worst %v", len(opened),
		at(opened, .5), at(opened, .95), at(echoed, .5), at(echoed, .95), at(echoed, 1))
}
