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

const prefix = "ntlab-" // of the namespaces' names; the test's process ID follows

// lab is a set of namespaces.
type lab struct {
	t     *testing.T
	tag   string // of the test, in the namespaces' names
	names []string
}

// newLab builds the boxes with the gateways' rules; all goes away with t.
func newLab(t *testing.T, rulesA, rulesB string) *lab {
	t.Helper()
	t.Parallel()
	testenv.NeedRoot(t)
	for _, tool := range []string{"ip", "nft"} {
		_, err := exec.LookPath(tool)
		testenv.SkipUnless(t, err == nil, "needs the command "+tool)
	}
	sweepStale(t)
	l := &lab{t: t, tag: fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(t.Name())))}
	t.Cleanup(l.remove)
	for _, box := range []string{"hub", "ga", "a", "gb", "b"} {
		l.names = append(l.names, l.ns(box))
		l.do("ip", "netns", "add", l.ns(box))
		l.do("ip", "-n", l.ns(box), "link", "set", "lo", "up")
	}
	hub := l.ns("hub")
	l.do("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
	for _, addr := range []string{"203.0.113.10/24", "203.0.113.11/24"} {
		l.do("ip", "-n", hub, "addr", "add", addr, "dev", "br0")
	}
	l.do("ip", "-n", hub, "link", "set", "br0", "up")
	l.house(1, "ga", "a", rulesA)
	l.house(2, "gb", "b", rulesB)
	return l
}

// house builds a gateway and the host behind it.
func (l *lab) house(n int, gateway, host, rules string) {
	l.t.Helper()
	hub, gw, in := l.ns("hub"), l.ns(gateway), l.ns(host)
	net := fmt.Sprintf("10.%d.0.", n)
	port := "port" + strconv.Itoa(n)
	l.do("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "wan", "netns", gw)
	l.do("ip", "-n", hub, "link", "set", port, "master", "br0", "up")
	l.do("ip", "-n", gw, "addr", "add", fmt.Sprintf("203.0.113.%d/24", n), "dev", "wan")
	l.do("ip", "-n", gw, "link", "set", "wan", "up")
	l.do("ip", "-n", gw, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", in)
	l.do("ip", "-n", gw, "addr", "add", net+"1/24", "dev", "lan")
	l.do("ip", "-n", gw, "link", "set", "lan", "up")
	l.do("ip", "-n", in, "addr", "add", net+"2/24", "dev", "eth0")
	l.do("ip", "-n", in, "link", "set", "eth0", "up")
	l.do("ip", "-n", in, "route", "add", "default", "via", net+"1")
	l.do("ip", "netns", "exec", gw, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	if strings.Contains(rules, "%s") {
		rules = fmt.Sprintf(rules, net+"2")
	}
	l.feed(rules, "ip", "netns", "exec", gw, "nft", "-f", "-")
}

// ns returns the namespace of a box.
func (l *lab) ns(box string) string {
	return fmt.Sprintf("%s%d-%s-%s", prefix, os.Getpid(), l.tag, box)
}

func (l *lab) do(args ...string) { l.t.Helper(); l.feed("", args...) }

func (l *lab) feed(stdin string, args ...string) {
	l.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
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
