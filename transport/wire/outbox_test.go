package wire

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestOutboxJoinsWhatMayBeJoined: packets to one address of one length share a batch, a
// shorter one ends it, a longer one begins another, and none is lost when it closes.
func TestOutboxJoinsWhatMayBeJoined(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	var got []string
	gate := make(chan struct{})
	o := newOutbox(func(x *batch) {
		<-gate
		got = append(got, fmt.Sprintf("%d: %d of %d, %d bytes", x.to.Port(), x.n, x.size, len(x.buf)))
	})
	o.add(make([]byte, 7), a) // taken at once, or at least first
	for len(o.queued()) > 0 {
		time.Sleep(time.Millisecond)
	}
	for _, p := range []struct {
		to   netip.AddrPort
		size int
	}{{a, 100}, {b, 90}, {a, 100}, {b, 90}, {a, 60}, {a, 100}, {b, 91}} {
		o.add(make([]byte, p.size), p.to)
	}
	for range maxBatch + 1 {
		o.add(make([]byte, 1000), netip.AddrPortFrom(a.Addr(), 3))
	}
	close(gate)
	o.close()
	o.add(make([]byte, 5), a) // too late: dropped
	want := []string{"1: 1 of 7, 7 bytes", "1: 3 of 100, 260 bytes", "2: 2 of 90, 180 bytes", "1: 1 of 100, 100 bytes", "2: 1 of 91, 91 bytes",
		"3: 64 of 1000, 64000 bytes", "3: 1 of 1000, 1000 bytes"}
	if !slices.Equal(got, want) {
		t.Errorf("batches %q\nwant    %q", got, want)
	}
}

func (o *outbox) queued() []*batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queue
}

// TestOutboxMakesSendersWait: what waits is bounded.
func TestOutboxMakesSendersWait(t *testing.T) {
	gate := make(chan struct{})
	o := newOutbox(func(*batch) { <-gate })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 * maxOutbox / 1000 {
			o.add(make([]byte, 1000), netip.AddrPort{})
		}
	}()
	select {
	case <-done:
		t.Error("three times as much as may wait was taken")
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	<-done
	o.close()
}

// TestBatchesArriveAsTheyWere: real sockets, with offloading where there is any and
// without: every datagram arrives with its own length and bytes.
func TestBatchesArriveAsTheyWere(t *testing.T) {
	for _, offloaded := range []bool{true, false} {
		from, to := udpSocket(t), udpSocket(t)
		n := &Node{udp: from, conf: Config{Conn: from}}
		m := &Node{udp: to, conf: Config{Conn: to}}
		if offloaded {
			n.offload, m.offload = newOffload(from), newOffload(to)
		}
		addr := to.LocalAddr().(*net.UDPAddr).AddrPort()
		b := &batch{to: addr, size: 1200}
		var want [][]byte
		for i := range 21 {
			p := bytes.Repeat([]byte{byte(i + 1)}, 1200)
			if i == 20 {
				p = p[:77]
			}
			want = append(want, p)
			b.buf = append(b.buf, p...)
			b.n++
		}
		n.writeBatch(b)
		buf, oob := make([]byte, m.offload.readSize()), make([]byte, 64)
		for reads := 0; len(want) > 0; reads++ {
			to.SetReadDeadline(time.Now().Add(5 * time.Second))
			total, size, _, err := m.read(buf, oob)
			if err != nil {
				t.Fatalf("offload %v: %v; %d datagrams are missing", offloaded, err, len(want))
			}
			for p := buf[:total]; len(p) > 0; p = p[min(size, len(p)):] {
				if got := p[:min(size, len(p))]; len(want) == 0 || !bytes.Equal(got, want[0]) {
					t.Fatalf("offload %v: a datagram of %d bytes of %d, want %d", offloaded, len(got), got[0], len(want[0]))
				}
				want = want[1:]
			}
			t.Logf("offload %v: read %d has %d bytes in datagrams of %d", offloaded, reads, total, size)
		}
	}
}

func udpSocket(t *testing.T) *net.UDPConn {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
