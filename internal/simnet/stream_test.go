package simnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

func connect(t testing.TB, a, b *Host) (near, far net.Conn) {
	t.Helper()
	l, err := b.Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	near, err = a.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	return near, far
}

// TestStreamTime: one stream fills its link: a handshake, and then its bytes and headers at
// the link's rate, plus what slow start leaves unused when the path is long.
func TestStreamTime(t *testing.T) {
	const size = 128 << 10
	for _, c := range []struct {
		name string
		link Link // of both
		loss float64
		max  time.Duration // beyond the bytes' own time
	}{
		{"slow link", Link{Up: 800_000, Down: 800_000, Delay: 15 * time.Millisecond}, 0, 200 * time.Millisecond},
		{"fast link", Link{Up: 100_000_000, Down: 100_000_000, Delay: 15 * time.Millisecond}, 0, 320 * time.Millisecond},
		{"loss", Link{Up: 800_000, Down: 800_000, Delay: 15 * time.Millisecond}, 0.02, time.Second},
		{"small queue", Link{Up: 800_000, Down: 800_000, UpQueue: 8_000, Delay: 15 * time.Millisecond}, 0, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{Loss: c.loss}, func(t *testing.T, n *Net) {
				near, far := connect(t, n.Host(c.link), n.Host(c.link))
				want := make([]byte, size)
				rand.NewChaCha8([32]byte{1}).Read(want)
				go func() {
					near.Write(want)
					near.Close()
				}()
				have, err := io.ReadAll(far)
				if err != nil || !bytes.Equal(have, want) {
					t.Fatalf("read %d bytes: %v", len(have), err)
				}
				own := time.Duration(int64(size+size/mss*headTCP) * 8 * int64(time.Second) / int64(c.link.Up))
				if took := n.Now(); took < own || took > own+c.max {
					t.Errorf("%d bytes took %v, their own time is %v", size, took, own)
				}
				far.Close()
			})
		})
	}
}

// TestStreamsShareALink: ten streams over one uplink take as long as their bytes, and
// every byte of theirs arrives.
func TestStreamsShareALink(t *testing.T) {
	const each, streams = 200 << 10, 10
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a := n.Host(Link{Up: 8_000_000, Down: 8_000_000, Delay: 10 * time.Millisecond})
		done := make(chan time.Duration, streams)
		for range streams {
			b := n.Host(Link{Up: 8_000_000, Down: 8_000_000, Delay: 10 * time.Millisecond})
			near, far := connect(t, a, b)
			go func() {
				near.Write(make([]byte, each))
				near.Close()
			}()
			go func() {
				if all, err := io.ReadAll(far); err != nil || len(all) != each {
					t.Errorf("read %d bytes: %v", len(all), err)
				}
				far.Close()
				done <- n.Now()
			}()
		}
		var last time.Duration
		for range streams {
			last = max(last, <-done)
		}
		if own := each * streams * 8 * time.Second / 8_000_000; last < own || last > own*115/100 {
			t.Errorf("the last was done after %v, the bytes take %v", last, own)
		}
	})
}

func TestStreamEnds(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a, b := n.Host(Link{Delay: time.Millisecond}), n.Host(Link{})
		near, far := connect(t, a, b)
		if at := n.Now(); at != 2*time.Millisecond {
			t.Errorf("connecting took %v, want a round trip", at)
		}
		near.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading past the deadline: %v", err)
		}
		near.SetReadDeadline(time.Time{})
		near.Write([]byte("hello"))
		near.(interface{ CloseWrite() error }).CloseWrite()
		if all, err := io.ReadAll(far); string(all) != "hello" || err != nil {
			t.Errorf("read %q: %v", all, err)
		}
		far.Write([]byte("and back"))
		far.Close()
		if all, err := io.ReadAll(near); string(all) != "and back" || err != nil {
			t.Errorf("read %q: %v", all, err)
		}
		near.Close()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("reading a closed stream: %v", err)
		}
	})
}

// TestStreamIsReset: who writes to an end that was closed hears of it.
func TestStreamIsReset(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		near, far := connect(t, n.Host(Link{Delay: time.Millisecond}), n.Host(Link{}))
		far.Close()
		var err error
		for err == nil {
			_, err = near.Write(make([]byte, 100))
			time.Sleep(time.Millisecond)
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("writing to a closed end: %v", err)
		}
		near.Close()
	})
}

// TestSlowReader: a reader that does not read stops its writer, and wakes it.
func TestSlowReader(t *testing.T) {
	const size = 1 << 20
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		near, far := connect(t, n.Host(Link{Delay: time.Millisecond}), n.Host(Link{}))
		wrote := make(chan struct{})
		go func() {
			near.Write(make([]byte, size))
			close(wrote)
		}()
		time.Sleep(time.Minute)
		if isClosed(wrote) {
			t.Error("a megabyte went into nowhere")
		}
		buf, sum := make([]byte, 777), 0
		for sum < size {
			k, err := far.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			sum += k
		}
		<-wrote
		near.Close()
		far.Close()
	})
}

func TestDialFails(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a, b, hidden := n.Host(Link{Delay: time.Millisecond}), n.Host(Link{}), n.Host(Link{NAT: FullCone})
		if _, err := hidden.Listen(80); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		for _, c := range []struct {
			to   string
			ctx  context.Context
			want error
		}{
			{netip.AddrPortFrom(b.Addr(), 80).String(), t.Context(), syscall.ECONNREFUSED},
			{"192.0.2.1:80", t.Context(), syscall.ETIMEDOUT},
			{netip.AddrPortFrom(hidden.Addr(), 80).String(), ctx, context.DeadlineExceeded},
		} {
			if conn, err := a.Dial(c.ctx, "tcp", c.to); !errors.Is(err, c.want) {
				t.Errorf("dialling %s: %v, %v; want %v", c.to, conn, err, c.want)
			}
		}
	})
}

// TestHTTP: the standard library's client and server run over it unchanged.
func TestHTTP(t *testing.T) {
	const size = 128 << 10
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		link := Link{Up: 800_000, Down: 800_000, Delay: 15 * time.Millisecond}
		server, client := n.Host(link), n.Host(link)
		l, err := server.Listen(80)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, size)) })}
		go srv.Serve(l)
		tr := &http.Transport{DialContext: client.Dial}
		resp, err := (&http.Client{Transport: tr}).Get("http://" + l.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		if k, err := io.Copy(io.Discard, resp.Body); k != size || err != nil {
			t.Errorf("read %d bytes: %v", k, err)
		}
		resp.Body.Close()
		if took := n.Now(); took < 1420*time.Millisecond || took > 1600*time.Millisecond {
			t.Errorf("128 KiB at 800 kbit/s took %v; the bytes alone 1.35 s and two round trips", took)
		}
		tr.CloseIdleConnections()
		srv.Close()
	})
}

// TestCloseEndsWhatWaits: closing the network releases everybody.
func TestCloseEndsWhatWaits(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, n *Net) {
		a, b := n.Host(Link{Delay: time.Millisecond}), n.Host(Link{})
		near, _ := connect(t, a, b)
		l, err := b.Listen(81)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 4)
		go func() { _, err := near.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := near.Write(make([]byte, 1<<20)); ended <- err }()
		go func() { _, err := l.Accept(); ended <- err }()
		go func() { _, err := a.Dial(t.Context(), "tcp", "192.0.2.1:80"); ended <- err }()
		time.Sleep(100 * time.Millisecond)
		n.Close()
		for range 4 {
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("released with %v", err)
			}
		}
	})
}
