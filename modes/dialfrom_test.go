package modes

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
)

func TestReaches(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"127.0.0.1", "tracker.example:7070", false}, {"127.0.0.1", "192.0.2.9:7070", false}, {"127.0.0.1", "[::1]:7070", false},
		{"127.0.0.1", "127.0.0.1:7070", true}, {"::1", "[::1]:7070", true}, {"192.0.2.1", "tracker.example:7070", true},
	} {
		if got := reaches(netip.MustParseAddr(c.from), c.to); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
}

func TestTrackersAreAskedFromTheAddressThatServes(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:7070", "[::]:7070", ""} {
		if dialFrom(listen) != nil {
			t.Errorf("%q says from where to ask", listen)
		}
	}
	if runtime.GOOS != "linux" {
		t.Skip("other systems have one loopback address")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for from, seen := range map[string]string{"127.3.0.1:1": "127.3.0.1", "192.0.2.1:1": "127.0.0.1"} { // the second is not ours
		c, err := dialFrom(from)(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		in, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := netip.MustParseAddrPort(in.RemoteAddr().String()).Addr().String(); got != seen {
			t.Errorf("from %s: the tracker sees %s, want %s", from, got, seen)
		}
		in.Close()
		c.Close()
	}
}
