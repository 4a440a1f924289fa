package netns

import (
	"fmt"
	"strconv"
	"strings"
)

// flatIP is the address of box i of a flat network: each is in another /16 and public.
func flatIP(i int) string { return fmt.Sprintf("20.%d.0.1", i) }

func flatBox(i int) string { return "n" + strconv.Itoa(i) }

// flat builds a network without NATs: boxes n0, n1, ... on one bridge in the hub, which has
// the address hubIP there.
func (l *lab) flat(boxes int) {
	l.t.Helper()
	hub := l.ns("hub")
	l.bridge(hub, "br1", hubIP+"/8")
	var add, ports strings.Builder
	for i := range boxes {
		ns := l.ns(flatBox(i))
		l.names = append(l.names, ns)
		fmt.Fprintf(&add, "netns add %s\n", ns)
		fmt.Fprintf(&ports, "link add %s type veth peer name eth0 netns %s\nlink set %[1]s master br1 up\n", flatBox(i), ns)
	}
	l.feed(add.String(), "ip", "-batch", "-")
	l.feed(ports.String(), "ip", "-n", hub, "-batch", "-")
	for i := range boxes {
		l.feed(fmt.Sprintf("link set lo up\naddr add %s/8 dev eth0\nlink set eth0 up\n", flatIP(i)), "ip", "-n", l.ns(flatBox(i)), "-batch", "-")
	}
}

const hubIP = "20.255.0.1"

// slowFlat gives the links of boxes from..to-1 a rate each way, such as "1mbit", with a
// queue of 32 KiB before each.
func (l *lab) slowFlat(from, to int, rate string) {
	l.t.Helper()
	for i := from; i < to; i++ {
		for _, end := range [][2]string{{l.ns(flatBox(i)), "eth0"}, {l.ns("hub"), flatBox(i)}} {
			l.do("tc", "-n", end[0], "qdisc", "add", "dev", end[1], "root", "tbf", "rate", rate, "burst", "4kb", "limit", "32768")
		}
	}
}
