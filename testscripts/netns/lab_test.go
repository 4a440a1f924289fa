package netns

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"nt/internal/testenv"
)

// The laboratory: two private networks behind gateways of their own, and a public
// one between them. Each box is a network namespace, all links are veth pairs.
//
//	    a                ga                    hub                    gb                b
//	10.1.0.2 ── 10.1.0.1 | 203.0.113.1 ── 203.0.113.10 tracker ── 203.0.113.2 | 10.2.0.1 ── 10.2.0.2
//	                (NAT)                  203.0.113.11 neighbour         (NAT)
//
// The rules of a gateway decide the kind of its NAT. A NAT that only masquerades is
// none of them: an early punch from outside takes the port that the flow from
// inside needs, so unsolicited datagrams must be dropped.
const (
	// portRestricted keeps the port towards everybody and lets in who was spoken to.
	portRestricted = `table ip nt_nat {
	chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
	chain inp { type filter hook input priority filter; iifname "wan" ct state new drop; }
	chain forw { type filter hook forward priority filter; policy accept; iifname "wan" ct state new drop; }
}`
	// symmetric takes another port for each destination.
	symmetric = `table ip nt_nat {
	chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade random,fully-random; }
	chain inp { type filter hook input priority filter; iifname "wan" ct state new drop; }
	chain forw { type filter hook forward priority filter; policy accept; iifname "wan" ct state new drop; }
}`
	// fullCone lets everybody in; %s is the one host inside.
	fullCone = `table ip nt_nat {
	chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
	chain pre { type nat hook prerouting priority dstnat; iifname "wan" meta l4proto udp dnat to %s; }
}`
)

// fullConeFor is a full cone in house n for several hosts, each with one port of its own
// (insidePort), which it also hairpins: hosts inside reach each other by their outside
// addresses, as RFC 4787 asks. On other ports it is port-restricted.
func fullConeFor(n, hosts int) string {
	var pre strings.Builder
	for i := range hosts {
		fmt.Fprintf(&pre, "ip daddr 203.0.113.%d udp dport %d dnat to 10.%d.0.%d;\n", n, insidePort+i, n, 2+i)
	}
	return fmt.Sprintf(`table ip nt_nat {
	chain pre { type nat hook prerouting priority dstnat; %s }
	chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; ip saddr 10.%d.0.0/24 oifname "lan" snat to 203.0.113.%d; }
	chain inp { type filter hook input priority filter; iifname "wan" ct state new drop; }
	chain forw { type filter hook forward priority filter; policy accept; iifname "wan" ct status dnat accept; iifname "wan" ct state new drop; }
}`, pre.String(), n, n)
}

// insidePort is where the first host of a house serves, the next ones on the ports behind it.
const insidePort = 4001

const prefix = "ntlab-" // of the namespaces' names; the test's process ID follows

// lab is a set of namespaces.
type lab struct {
	t     *testing.T
	tag   string // of the test, in the namespaces' names
	names []string
	dir   string // of the processes' homes
}

// newLab builds the boxes with the gateways' rules and a host behind each; all goes away with t.
func newLab(t *testing.T, rulesA, rulesB string) *lab {
	t.Helper()
	l := newPublic(t)
	l.house(1, "ga", rulesA, "a")
	l.house(2, "gb", rulesB, "b")
	return l
}

// newPublic builds the public network without any houses.
func newPublic(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	testenv.Alone(t)
	testenv.NeedRoot(t)
	for _, tool := range []string{"ip", "nft", "tc"} {
		_, err := exec.LookPath(tool)
		testenv.SkipUnless(t, err == nil, "needs the command "+tool)
	}
	sweepStale(t)
	l := &lab{t: t, tag: fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(t.Name()))), dir: t.TempDir()}
	t.Cleanup(l.remove)
	hub := l.box("hub")
	l.bridge(hub, "br0", "203.0.113.10/24", "203.0.113.11/24")
	return l
}

// box makes a namespace and returns its name.
func (l *lab) box(name string) string {
	l.t.Helper()
	ns := l.ns(name)
	l.names = append(l.names, ns)
	l.do("ip", "netns", "add", ns)
	l.do("ip", "-n", ns, "link", "set", "lo", "up")
	return ns
}

func (l *lab) bridge(ns, name string, addrs ...string) {
	l.t.Helper()
	l.do("ip", "-n", ns, "link", "add", name, "type", "bridge")
	for _, addr := range addrs {
		l.do("ip", "-n", ns, "addr", "add", addr, "dev", name)
	}
	l.do("ip", "-n", ns, "link", "set", name, "up")
}

// house builds gateway number n and the hosts behind it.
func (l *lab) house(n int, gateway, rules string, hosts ...string) {
	l.t.Helper()
	hub, gw, net := l.ns("hub"), l.box(gateway), fmt.Sprintf("10.%d.0.", n)
	port := "port" + strconv.Itoa(n)
	l.do("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "wan", "netns", gw)
	l.do("ip", "-n", hub, "link", "set", port, "master", "br0", "up")
	l.do("ip", "-n", gw, "addr", "add", fmt.Sprintf("203.0.113.%d/24", n), "dev", "wan")
	l.do("ip", "-n", gw, "link", "set", "wan", "up")
	l.bridge(gw, "lan", net+"1/24")
	for i, host := range hosts {
		in, leg := l.box(host), "leg"+strconv.Itoa(i)
		l.do("ip", "-n", gw, "link", "add", leg, "type", "veth", "peer", "name", "eth0", "netns", in)
		l.do("ip", "-n", gw, "link", "set", leg, "master", "lan", "up")
		l.do("ip", "-n", in, "addr", "add", net+strconv.Itoa(2+i)+"/24", "dev", "eth0")
		l.do("ip", "-n", in, "link", "set", "eth0", "up")
		l.do("ip", "-n", in, "route", "add", "default", "via", net+"1")
	}
	l.do("ip", "netns", "exec", gw, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	if strings.Contains(rules, "%s") {
		rules = fmt.Sprintf(rules, net+"2")
	}
	l.feed(rules, "ip", "netns", "exec", gw, "nft", "-f", "-")
}

// downlink slows what a gateway sends to its host number i (from 0), with a queue of 100 ms.
func (l *lab) downlink(gateway string, i int, rate string) {
	l.t.Helper()
	l.slow(gateway, "leg"+strconv.Itoa(i), rate)
}

// slow gives what leaves a box by a device a rate, with a queue of 100 ms.
func (l *lab) slow(box, device, rate string) {
	l.t.Helper()
	l.do("ip", "netns", "exec", l.ns(box), "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst", "4kb", "latency", "100ms")
}

// ns returns the namespace of a box.
func (l *lab) ns(box string) string {
	return fmt.Sprintf("%s%d-%s-%s", prefix, os.Getpid(), l.tag, box)
}

func (l *lab) do(args ...string) { l.t.Helper(); l.feed("", args...) }

func (l *lab) output(args ...string) string { l.t.Helper(); return l.feed("", args...) }

// feed runs a command that must succeed and returns what it says.
func (l *lab) feed(stdin string, args ...string) string {
	l.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// remove deletes the namespaces; what runs in them has ended by then.
func (l *lab) remove() {
	for _, name := range l.names {
		exec.Command("ip", "netns", "del", name).Run() // not there if its creation failed
	}
}

// sweepStale removes the namespaces of tests that were killed.
func sweepStale(t *testing.T) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		owner, ours := strings.CutPrefix(name, prefix)
		if !ours {
			continue
		}
		owner, _, _ = strings.Cut(owner, "-")
		if _, err := os.Stat("/proc/" + owner); os.IsNotExist(err) {
			exec.Command("ip", "netns", "del", name).Run() // another test may be faster
		}
	}
}
