package simnet

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs f in virtual time with a network that is closed behind it.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, n *Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(cfg)
		defer n.Close()
		f(t, n)
	})
}

func socket(t testing.TB, h *Host, port uint16) net.PacketConn {
	t.Helper()
	c, err := h.ListenPacket(port)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func udp(h *Host, port uint16) *net.UDPAddr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.Addr(), port))
}

func send(t testing.TB, c net.PacketConn, to net.Addr, size int, mark byte) {
	t.Helper()
	b := make([]byte, size)
	b[0] = mark
	if _, err := c.WriteTo(b, to); err != nil {
		t.Fatal(err)
	}
}

type got struct {
	mark byte
	from string
	at   time.Duration
}

// drain reads until nothing has come for a second.
func drain(t testing.TB, n *Net, c net.PacketConn) (all []got) {
	t.Helper()
	b := make([]byte, 2000)
	for {
		c.SetReadDeadline(time.Now().Add(time.Second))
		_, from, err := c.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got{b[0], from.String(), n.Now()})
	}
}

// TestRatesAndDelays: a datagram takes its bytes over the uplink, the delays of both
// ends and its bytes over the downlink, to the nanosecond.
func TestRatesAndDelays(t *testing.T) {
	for _, c := range []struct {
		name     string
		a, b     Link
		size     int
		want     time.Duration // of the first
		interval time.Duration // between the next ones
	}{
		{"only delay", Link{Delay: 10 * time.Millisecond}, Link{Delay: 20 * time.Millisecond}, 1000, 30 * time.Millisecond, 0},
		{"uplink", Link{Up: 800_000}, Link{}, 972, 10 * time.Millisecond, 10 * time.Millisecond},
		{"both", Link{Up: 800_000, Delay: time.Millisecond}, Link{Down: 800_000}, 972, 21 * time.Millisecond, 10 * time.Millisecond},
		{"slow downlink", Link{Up: 8_000_000}, Link{Down: 400_000}, 972, 21 * time.Millisecond, 20 * time.Millisecond},
		{"fast downlink", Link{Up: 400_000}, Link{Down: 4_000_000}, 972, 22 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, n *Net) {
				a, b := n.Host(c.a), n.Host(c.b)
				from, to := socket(t, a, 0), socket(t, b, 7)
				for i := range 5 {
					send(t, from, udp(b, 7), c.size, byte(i))
				}
				for i, g := range drain(t, n, to) {
					if want := c.want + time.Duration(i)*c.interval; g.at != want || int(g.mark) != i {
						t.Errorf("datagram %d is %d and came after %v, want %v", i, g.mark, g.at, want)
					}
				}
				sum := int64(5 * (c.size + headUDP))
				if out, in := a.Traffic(), b.Traffic(); out.Out != sum || in.In != sum || out.PacketsOut != 5 || in.PacketsIn != 5 || out.In != 0 {
					t.Errorf("counted %+v and %+v, want %d bytes", out, in, sum)
				}
			})
		})
	}
}

// TestQueuesDropTheTail: what does not fit into a queue is dropped, and only that.
func TestQueuesDropTheTail(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Link
		want int
	}{
		{"uplink of 10", Link{Up: 800_000, UpQueue: 10_000}, Link{}, 10},
		{"downlink of 4", Link{}, Link{Down: 800_000, DownQueue: 4_999}, 4},
		{"the smaller counts", Link{Up: 800_000, UpQueue: 3_000}, Link{Down: 80_000, DownQueue: 2_000}, 2},
		{"no rate, no queue", Link{UpQueue: 1}, Link{DownQueue: 1}, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, n *Net) {
				a, b := n.Host(c.a), n.Host(c.b)
				from, to := socket(t, a, 0), socket(t, b, 7)
				for i := range 20 {
					send(t, from, udp(b, 7), 1000-headUDP, byte(i))
				}
				all := drain(t, n, to)
				for i, g := range all {
					if int(g.mark) != i {
						t.Errorf("datagram %d is %d: not the tail was dropped", i, g.mark)
					}
				}
				drops := a.Traffic().QueueDrops + b.Traffic().QueueDrops
				if len(all) != c.want || int(drops) != 20-c.want {
					t.Errorf("%d came and %d were dropped, want %d to come", len(all), drops, c.want)
				}
			})
		})
	}
}

// TestAQueueEmptiesAsItIsSent: room comes back at the rate of the link.
func TestAQueueEmptiesAsItIsSent(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a, b := n.Host(Link{Up: 800_000, UpQueue: 2_000}), n.Host(Link{})
		from, to := socket(t, a, 0), socket(t, b, 7)
		for i := range 30 {
			send(t, from, udp(b, 7), 1000-headUDP, byte(i))
			time.Sleep(5 * time.Millisecond) // twice the rate
		}
		if all := drain(t, n, to); len(all) != 16 {
			t.Errorf("%d of 30 came in 150 ms at 100 a second and a queue of 2, want 16", len(all))
		}
	})
}

func TestLossDuplicationReordering(t *testing.T) {
	const sent = 20_000
	cfg := Config{Seed: 7, Loss: 0.05, Duplicate: 0.02, Reorder: 0.03, ReorderBy: 3500 * time.Microsecond}
	bubble(t, cfg, func(t *testing.T, n *Net) {
		a, b := n.Host(Link{}), n.Host(Link{})
		from, to := socket(t, a, 0), socket(t, b, 7)
		count := map[[2]byte]int{}
		late, total := 0, 0
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			var last uint16
			buf := make([]byte, 10)
			for {
				to.SetReadDeadline(time.Now().Add(time.Second))
				if _, _, err := to.ReadFrom(buf); err != nil {
					return
				}
				if at := uint16(buf[0])<<8 | uint16(buf[1]); at < last {
					late++
				} else {
					last = at
				}
				count[[2]byte(buf)]++
				total++
			}
		}()
		for i := range sent {
			if _, err := from.WriteTo([]byte{byte(i >> 8), byte(i)}, udp(b, 7)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		<-heard
		twice := total - len(count)
		for _, v := range []struct {
			name string
			got  int
			want float64
		}{{"lost", sent - len(count), 0.05 * sent}, {"twice", twice, 0.02 * 0.95 * sent}, {"late", late, 0.03 * 0.95 * sent}} {
			if float64(v.got) < 0.85*v.want || float64(v.got) > 1.15*v.want {
				t.Errorf("%s: %d of %d, want about %.0f", v.name, v.got, sent, v.want)
			}
		}
	})
}

// TestNATBehaviour is RFC 4787's table: who may answer through which NAT, and
// which port an endpoint sees.
func TestNATBehaviour(t *testing.T) {
	for _, c := range []struct {
		kind                           NAT
		samePort                       bool // two endpoints see the same outer port
		contacted, otherPort, stranger bool // may answer: who was sent to, another port of that host, anybody
	}{
		{NoNAT, true, true, true, true},
		{FullCone, true, true, true, true},
		{PortRestricted, true, true, false, false},
		{Symmetric, false, true, false, false},
	} {
		t.Run(fmt.Sprint(c.kind), func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, n *Net) {
				in, x, y := n.Host(Link{NAT: c.kind}), n.Host(Link{}), n.Host(Link{})
				inside := socket(t, in, 5000)
				x1, x2, y1 := socket(t, x, 1), socket(t, x, 2), socket(t, y, 1)
				send(t, inside, udp(x, 1), 10, 1)
				seenX := drain(t, n, x1)
				if len(seenX) != 1 {
					t.Fatalf("%d datagrams came out", len(seenX))
				}
				at, err := net.ResolveUDPAddr("udp", seenX[0].from)
				if err != nil || at.AddrPort().Addr().Unmap() != in.Addr() {
					t.Fatalf("the other side sees %v, want %v", seenX[0].from, in.Addr())
				}
				send(t, x1, at, 10, 'c')
				send(t, x2, at, 10, 'o')
				send(t, y1, at, 10, 's')
				back := map[byte]bool{}
				for _, g := range drain(t, n, inside) {
					back[g.mark] = true
				}
				if want := map[byte]bool{'c': c.contacted, 'o': c.otherPort, 's': c.stranger}; back['c'] != want['c'] || back['o'] != want['o'] || back['s'] != want['s'] {
					t.Errorf("let in %v, want %v", back, want)
				}
				send(t, inside, udp(y, 1), 10, 2)
				if seenY := drain(t, n, y1); len(seenY) != 1 || (seenY[0].from == seenX[0].from) != c.samePort {
					t.Errorf("a second endpoint sees %v, the first %v", seenY, seenX[0].from)
				}
			})
		})
	}
}

// TestHolePunching: who gets through to whom when both sides send to the address
// that a third party saw: only a symmetric NAT's guess fails.
func TestHolePunching(t *testing.T) {
	kinds := []NAT{FullCone, PortRestricted, Symmetric}
	want := map[[2]NAT]bool{
		{FullCone, FullCone}: true, {FullCone, PortRestricted}: true, {FullCone, Symmetric}: true,
		{PortRestricted, PortRestricted}: true, {PortRestricted, Symmetric}: false, {Symmetric, Symmetric}: false,
	}
	for i, ka := range kinds {
		for _, kb := range kinds[i:] {
			bubble(t, Config{}, func(t *testing.T, n *Net) {
				a, b, r := n.Host(Link{NAT: ka}), n.Host(Link{NAT: kb}), n.Host(Link{})
				ca, cb, cr := socket(t, a, 9), socket(t, b, 9), socket(t, r, 9)
				seen := func(c net.PacketConn) net.Addr {
					send(t, c, udp(r, 9), 10, 0)
					at, err := net.ResolveUDPAddr("udp", drain(t, n, cr)[0].from)
					if err != nil {
						t.Fatal(err)
					}
					return at
				}
				toA, toB := seen(ca), seen(cb)
				// Each side answers to where the first packet came from, as wire does.
				send(t, ca, toB, 10, 1)
				send(t, cb, toA, 10, 1)
				send(t, ca, toB, 10, 1)
				through := len(drain(t, n, cb)) > 0
				for _, g := range drain(t, n, ca) {
					at, _ := net.ResolveUDPAddr("udp", g.from)
					send(t, ca, at, 10, 1)
					through = through || len(drain(t, n, cb)) > 0
				}
				if through != want[[2]NAT{ka, kb}] {
					t.Errorf("%d to %d: through is %v", ka, kb, through)
				}
			})
		}
	}
}

func TestNATMappingsAge(t *testing.T) {
	bubble(t, Config{NATIdle: 30 * time.Second}, func(t *testing.T, n *Net) {
		in, x := n.Host(Link{NAT: FullCone}), n.Host(Link{})
		inside, outside := socket(t, in, 5000), socket(t, x, 1)
		send(t, inside, udp(x, 1), 10, 1)
		at, _ := net.ResolveUDPAddr("udp", drain(t, n, outside)[0].from)
		time.Sleep(28 * time.Second)
		send(t, outside, at, 10, 'a')
		if len(drain(t, n, inside)) != 1 {
			t.Error("the mapping was gone before its time")
		}
		time.Sleep(28 * time.Second) // nothing from inside for over 30 s: what came in does not count
		send(t, outside, at, 10, 'b')
		if len(drain(t, n, inside)) != 0 {
			t.Error("the mapping outlived its time")
		}
	})
}

// TestSameSeedSameRun: one goroutine, one seed, one history.
func TestSameSeedSameRun(t *testing.T) {
	history := func(seed uint64) (sum uint64) {
		bubble(t, Config{Seed: seed, Loss: 0.1, Duplicate: 0.1, Reorder: 0.2}, func(t *testing.T, n *Net) {
			a, b := n.Host(Link{Up: 800_000}), n.Host(Link{Down: 700_000, Delay: 5 * time.Millisecond})
			from, to := socket(t, a, 0), socket(t, b, 7)
			for i := range 50 {
				send(t, from, udp(b, 7), 100+7*i, byte(i))
			}
			h := fnv.New64a()
			for _, g := range drain(t, n, to) {
				fmt.Fprintln(h, g)
			}
			sum = h.Sum64()
		})
		return sum
	}
	if a, b, c := history(1), history(1), history(2); a != b || a == c {
		t.Errorf("seeds 1, 1 and 2 give %x, %x and %x", a, b, c)
	}
}

// TestPacketConnShape: wire takes anything with more than net.PacketConn's methods, or
// other addresses, for something it is not.
func TestPacketConnShape(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		h := n.Host(Link{})
		c := socket(t, h, 0)
		if got, want := reflect.TypeOf(c).NumMethod(), reflect.TypeFor[net.PacketConn]().NumMethod(); got != want {
			t.Errorf("the socket has %d methods, want %d", got, want)
		}
		if _, ok := c.LocalAddr().(*net.UDPAddr); !ok {
			t.Errorf("LocalAddr is a %T", c.LocalAddr())
		}
		if _, err := h.ListenPacket(uint16(c.LocalAddr().(*net.UDPAddr).Port)); err == nil {
			t.Error("a port was given twice")
		}
		read := make(chan error)
		go func() {
			_, _, err := c.ReadFrom(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read that was waiting when the socket closed: %v", err)
		}
		if _, err := c.WriteTo([]byte{1}, udp(h, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write after Close: %v", err)
		}
	})
}

// TestUnplugged: a host that is closed says nothing and hears nothing.
func TestUnplugged(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a, b := n.Host(Link{Delay: 10 * time.Millisecond}), n.Host(Link{})
		from, to := socket(t, a, 1), socket(t, b, 7)
		send(t, from, udp(b, 7), 10, 'x') // already on its way
		a.Close()
		if all := drain(t, n, to); len(all) != 1 {
			t.Errorf("%d datagrams came from before the plug was pulled, want 1", len(all))
		}
		send(t, to, udp(a, 1), 10, 'y')
		if _, err := from.WriteTo([]byte{1}, udp(b, 7)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing on an unplugged host: %v", err)
		}
		if in := a.Traffic().In; in != 0 {
			t.Errorf("%d bytes reached it", in)
		}
	})
}

// TestAttached: whole IP packets of computers outside take their bytes over the links, too,
// and nothing but IPv4 does.
func TestAttached(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a, b := n.Host(Link{Up: 800_000, Delay: 10 * time.Millisecond}), n.Host(Link{Delay: 10 * time.Millisecond})
		var came []time.Duration
		var last []byte
		b.Attach(func(ip []byte) { came, last = append(came, n.Now()), append([]byte(nil), ip...) })
		packet := make([]byte, 1000)
		to := b.Addr().As4()
		packet[0], packet[999] = 0x45, 7
		copy(packet[16:20], to[:])
		for range 2 {
			if err := a.Inject(packet); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(came) != 2 || came[0] != 30*time.Millisecond || came[1] != 40*time.Millisecond || !bytes.Equal(last, packet) {
			t.Errorf("came after %v, %d bytes", came, len(last))
		}
		if tr := b.Traffic(); tr.In != 2000 {
			t.Errorf("counted %d bytes, want 2000", tr.In)
		}
		for _, bad := range [][]byte{nil, packet[:19], make([]byte, 40), append([]byte{0x45}, make([]byte, 1500)...)} {
			if a.Inject(bad) == nil {
				t.Errorf("a packet of %d bytes was taken", len(bad))
			}
		}
	})
}

// TestRealTime: the same outside a bubble, where the only promise is order and
// that nothing comes too early.
func TestRealTime(t *testing.T) {
	n := New(Config{})
	defer n.Close()
	a, b := n.Host(Link{Up: 8_000_000, Delay: 2 * time.Millisecond}), n.Host(Link{})
	from, to := socket(t, a, 0), socket(t, b, 7)
	for i := range 10 {
		send(t, from, udp(b, 7), 972, byte(i))
	}
	buf := make([]byte, 2000)
	for i := range 10 {
		_, _, err := to.ReadFrom(buf)
		if at := n.Now(); err != nil || int(buf[0]) != i || at < time.Duration(i+1)*time.Millisecond+2*time.Millisecond {
			t.Fatalf("datagram %d is %d after %v: %v", i, buf[0], at, err)
		}
	}
}

func BenchmarkDatagram(b *testing.B) {
	n := New(Config{})
	defer n.Close()
	x, y := n.Host(Link{}), n.Host(Link{})
	from, to := socket(b, x, 0), socket(b, y, 7)
	addr, buf := udp(y, 7), make([]byte, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := from.WriteTo(buf, addr); err != nil {
			b.Fatal(err)
		}
		if _, _, err := to.ReadFrom(buf); err != nil {
			b.Fatal(err)
		}
	}
}
