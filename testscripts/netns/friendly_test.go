package netns

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"nt/internal/testenv"
)

// The bottleneck: what comes to the reader, with the queue of an ordinary home router.
const (
	bottleneck      = "2mbit"
	bottleneckBits  = 2_000_000
	bottleneckQueue = 32 << 10 // bytes, 131 ms
)

// TestTCPKeepsItsShare: one download over roulette/kcp from eight neighbours and one TCP flow
// share a bottleneck; TCP keeps at least 40 % of it. Either may have been there first.
func TestTCPKeepsItsShare(t *testing.T) {
	_, err := exec.LookPath("iperf3")
	testenv.SkipUnless(t, err == nil, "needs the command iperf3")
	for _, c := range rivals() {
		t.Run(c.String(), func(t *testing.T) {
			s := c.share(t)
			t.Logf("TCP %.0f %%, Roulette %.0f %% of the link; %d packets dropped at it", 100*s.tcp, 100*s.udp, s.drops)
			if s.tcp < 0.4 {
				t.Errorf("TCP kept %.1f %% of the link, want at least 40 %%", 100*s.tcp)
			}
		})
	}
}

// rival is a TCP flow beside the download.
type rival struct {
	congestion string
	first      bool // the flow, else the download
}

func (c rival) String() string {
	if c.first {
		return c.congestion + " first"
	}
	return c.congestion + " second"
}

// rivals are the kernel's default of most machines; with NT_LAB=full the others, too.
func rivals() []rival {
	all := []rival{{"cubic", true}, {"cubic", false}}
	if os.Getenv("NT_LAB") == "full" {
		all = append(all, rival{"reno", true}, rival{"reno", false}, rival{"bbr", true}, rival{"bbr", false})
	}
	return all
}

// shares are parts of the bottleneck, IP headers counted.
type shares struct {
	tcp, udp float64
	drops    int
}

// share lets both run together for ten seconds, after the first has had three alone and both
// two to settle.
func (c rival) share(t *testing.T) shares {
	const holders, alone, settle, together = 8, 3 * time.Second, 2 * time.Second, 10 * time.Second
	l := newPublic(t)
	l.flat(1 + holders + 1)
	server := 1 + holders // not the hub: a socket lets next to nothing wait in its own host's queue (TCP small queues)
	w := startTown(l, hubIP, 8<<20)
	var boxes []string
	for i := 1; i <= holders; i++ {
		boxes = append(boxes, flatBox(i))
		w.peer(flatBox(i), flatIP(i)+":4001")
	}
	w.read(boxes...)
	w.vouched()
	w.holders(holders)
	w.origin.kill()
	l.do("tc", "-n", l.ns("hub"), "qdisc", "add", "dev", flatBox(0), "root", "tbf", "rate", bottleneck, "burst", "4kb", "limit", fmt.Sprint(bottleneckQueue))
	m := l.meter(flatBox(0))
	l.program(flatBox(server), "iperf3", nil, l.dir, "iperf3", "-s", "-B", flatIP(server), "--forceflush").line("Server listening")

	var reader *program
	download := func() {
		reader = w.fetch(flatBox(0))
		m.some()
	}
	flow := func() {
		l.program(flatBox(0), "iperf3", nil, l.dir, "iperf3", "-c", flatIP(server), "-R", "-C", c.congestion, "-t", "60", "--forceflush").line("local .* port")
	}
	if !c.first {
		download, flow = flow, download
	}
	flow()
	time.Sleep(alone)
	download()
	time.Sleep(settle)
	before, start := m.read(), time.Now()
	time.Sleep(together)
	after, took := m.read(), time.Since(start).Seconds()
	select {
	case <-reader.done:
		t.Errorf("the download ended before the measurement did:\n%s", reader.errs.String())
	default:
	}
	part := func(n int64) float64 { return float64(n) * 8 / took / bottleneckBits }
	return shares{part(after.tcp - before.tcp), part(after.udp - before.udp), int(after.drops - before.drops)}
}

// meter counts what arrives in a box, by protocol.
type meter struct {
	l   *lab
	box string
}

type counts struct{ tcp, udp, drops int64 }

func (l *lab) meter(box string) meter {
	l.t.Helper()
	l.feed(`table ip nt_count { chain in { type filter hook input priority 0; iifname "eth0" ip protocol tcp counter; iifname "eth0" ip protocol udp counter; }; }`,
		"ip", "netns", "exec", l.ns(box), "nft", "-f", "-")
	return meter{l, box}
}

// some waits until a little has come over UDP.
func (m meter) some() {
	m.l.t.Helper()
	for deadline := time.Now().Add(patience); m.read().udp < 50_000; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.l.t.Fatal("the download does not begin")
		}
	}
}

var (
	countTCP   = regexp.MustCompile(`protocol tcp counter packets \d+ bytes (\d+)`)
	countUDP   = regexp.MustCompile(`protocol udp counter packets \d+ bytes (\d+)`)
	countDrops = regexp.MustCompile(`dropped (\d+)`)
)

func (m meter) read() (c counts) {
	m.l.t.Helper()
	rules := m.l.output("ip", "netns", "exec", m.l.ns(m.box), "nft", "list", "table", "ip", "nt_count")
	queue := m.l.output("tc", "-n", m.l.ns("hub"), "-s", "qdisc", "show", "dev", m.box)
	for _, x := range []struct {
		re   *regexp.Regexp
		text string
		to   *int64
	}{{countTCP, rules, &c.tcp}, {countUDP, rules, &c.udp}, {countDrops, queue, &c.drops}} {
		f := x.re.FindStringSubmatch(x.text)
		if f == nil {
			m.l.t.Fatalf("no %v in %s", x.re, x.text)
		}
		*x.to, _ = strconv.ParseInt(f[1], 10, 64)
	}
	return c
}
