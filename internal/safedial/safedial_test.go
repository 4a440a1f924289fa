package safedial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// The forty addresses that are not public: 23 of them pass net/netip's predicates.
var notPublic = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
	"169.254.169.254", "172.16.0.1", "172.31.255.254", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1",
	"192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.254",
	"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
	"2001:db8::1", "2002:7f00:1::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1",
}

func TestRow24_SpecialAddressesAreNotPublic(t *testing.T) {
	if len(notPublic) != 40 {
		t.Fatalf("the table has %d addresses, want 40", len(notPublic))
	}
	for _, s := range notPublic {
		if PublicAddr(netip.MustParseAddr(s)) {
			t.Errorf("%s passes as public", s)
		}
		if err := (Dialer{}).Check("tcp", netip.AddrPortFrom(netip.MustParseAddr(s), 80).String()); !errors.Is(err, ErrForbiddenAddr) {
			t.Errorf("dialling %s: %v", s, err)
		}
	}
	if PublicAddr(netip.Addr{}) || PublicAddr(netip.MustParseAddr("2a00:1450::1%eth0")) {
		t.Error("the zero address or an address with a zone passes as public")
	}
}

func TestPublicAddressesPass(t *testing.T) {
	for _, s := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1",
		"172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "198.17.255.255", "198.20.0.1", "223.255.255.255",
		"2606:4700::1111", "2a00:1450:4001:80e::200e", "2001:200::1", "2003::1",
	} {
		if !PublicAddr(netip.MustParseAddr(s)) {
			t.Errorf("%s is public and does not pass", s)
		}
	}
}

// Thirteen ways to spell the own machine. Most do not even resolve everywhere;
// what does is stopped before a single packet.
func TestRow24_NoSpellingReachesLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan struct{}, 16)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
			accepted <- struct{}{}
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	spellings := []string{
		"127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0",
		"0.0.0.0", "①②⑦.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]",
	}
	if len(spellings) != 13 {
		t.Fatalf("%d spellings", len(spellings))
	}
	for _, host := range spellings {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		c, err := Dialer{}.DialContext(ctx, "tcp", host+":"+port)
		cancel()
		if err == nil {
			c.Close()
			t.Errorf("%s was connected to", host)
		}
	}
	if len(accepted) != 0 {
		t.Errorf("the listener saw %d connections", len(accepted))
	}
	// The same listener is reachable once the rule is lifted: the test can fail.
	c, err := Dialer{AllowPrivate: true}.DialContext(context.Background(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-accepted
}

func TestRow24_DecidesOnTheResolvedAddress(t *testing.T) {
	_, err := Dialer{Timeout: time.Second}.DialContext(context.Background(), "tcp", "localhost:9")
	if !errors.Is(err, ErrForbiddenAddr) {
		t.Fatalf("a name that resolves to loopback: %v", err)
	}
}

func TestRow12_PortsAreRestricted(t *testing.T) {
	d := Dialer{Ports: []uint16{80, 443}}
	for addr, ok := range map[string]bool{"1.1.1.1:80": true, "[2606:4700::1111]:443": true, "1.1.1.1:22": false, "1.1.1.1:0": false} {
		if err := d.Check("tcp", addr); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if d.Check("unix", "/run/x") == nil || d.Check("tcp", "example.org:80") == nil {
		t.Error("a unix socket or an unresolved name passed")
	}
}
