package kcp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nt/transport"
	"nt/transport/wire"
	"nt/transport/wire/kcp"
	"nt/transport/wire/wiretest"
)

// farEnds makes the test binary the far ends of BenchmarkSessions: key, address, number.
const farEnds = "NT_KCP_FAR_ENDS"

func TestMain(m *testing.M) {
	if args := os.Getenv(farEnds); args != "" {
		if err := playFarEnds(strings.Fields(args)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkSessions measures what 32 and 1,000 sessions cost the node that accepted them: KCP over
// encrypted sessions on real UDP sockets, the far ends in a process of their own.
//
//	go test -run '^$' -bench Sessions -benchtime 1x ./transport/wire/kcp
func BenchmarkSessions(b *testing.B) {
	for _, n := range []int{32, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				measureSessions(b, n)
			}
		})
	}
}

// watched is how long a state of the sessions is watched.
const watched = 5 * time.Second

func measureSessions(b *testing.B, n int) {
	var mu sync.Mutex
	var pipes []*kcp.Pipe
	conf := wire.Config{MaxSessions: n + 1, MaxPerGroup: n + 1, Accept: func(s *wire.Session) bool {
		mu.Lock()
		defer mu.Unlock()
		i := len(pipes)
		p, err := kcp.New(s, kcp.Config{}, func(msg []byte) {
			mu.Lock()
			p := pipes[i]
			mu.Unlock()
			p.Send(bytes.Clone(msg))
		})
		pipes = append(pipes, p)
		return err == nil
	}}
	node := wiretest.Node(b, 1, conf)
	before := wiretest.TakeStock()
	far := startFarEnds(b, node, n)
	far.order(b, "open")
	time.Sleep(time.Second)
	report := func(state string, from wiretest.Stock) {
		now := wiretest.TakeStock()
		each := func(v int64) float64 { return float64(v) / float64(n) }
		b.ReportMetric(each(now.Heap-before.Heap), "heapB/session-"+state)
		b.ReportMetric(each(now.Resident-before.Resident), "rssB/session-"+state)
		b.ReportMetric(now.Load(from), "cpu-ms/s-"+state)
		b.ReportMetric(each(int64(now.Goroutines-before.Goroutines)), "goroutines/session")
	}
	from := wiretest.TakeStock()
	time.Sleep(watched)
	report("new", from)

	from = wiretest.TakeStock()
	far.order(b, "talk") // each says 1 KiB a second and hears it back
	report("talking", from)

	time.Sleep(watched) // they fall asleep
	from = wiretest.TakeStock()
	time.Sleep(watched)
	report("idle", from)
	far.order(b, "bye")
	for deadline := time.Now().Add(5 * time.Second); node.Stats().Sessions > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%d sessions do not end", node.Stats().Sessions)
		}
	}
}

// ends are the far ends' process.
type ends struct {
	in  io.Writer
	out *bufio.Scanner
}

func startFarEnds(b *testing.B, node *wire.Node, n int) *ends {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe)
	id := node.ID()
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", farEnds, hex.EncodeToString(id[:]), node.LocalAddr(), n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &ends{in, bufio.NewScanner(out)}
}

// order has the far ends do something and waits until it is done.
func (e *ends) order(b *testing.B, what string) {
	fmt.Fprintln(e.in, what)
	if !e.out.Scan() || e.out.Text() != "done "+what {
		b.Fatalf("the far ends say %q, want done %s", e.out.Text(), what)
	}
}

// playFarEnds obeys orders on stdin until they end.
func playFarEnds(args []string) error {
	var id transport.PeerID
	if err := id.UnmarshalText([]byte(args[0])); err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var pipes []*kcp.Pipe
	heard := make(chan struct{}, n)
	opened := make(chan *kcp.Pipe, 1)
	node, err := listenFar(n, func(s *wire.Session) {
		p, err := kcp.New(s, kcp.Config{}, func([]byte) { heard <- struct{}{} })
		if err == nil {
			opened <- p
		}
	})
	if err != nil {
		return err
	}
	defer node.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "open":
			for range n {
				s, err := node.Dial(context.Background(), addr, id, wire.Token{}, wire.ChannelDatagram, nil)
				if err != nil {
					return err
				}
				s.KeepAlive(10 * time.Second)
				pipes = append(pipes, <-opened)
			}
		case "talk":
			talk(pipes, heard)
		case "bye":
			for _, p := range pipes {
				p.Close()
			}
		}
		fmt.Println("done", lines.Text())
	}
	return nil
}

// talk says 1 KiB in every pipe each second, for as long as a state is watched.
func talk(pipes []*kcp.Pipe, heard <-chan struct{}) {
	every := time.NewTicker(watched / 5 / time.Duration(len(pipes)))
	defer every.Stop()
	for range 5 {
		for _, p := range pipes {
			<-every.C
			p.Send(make([]byte, 1024))
		}
	}
	for range 5 * len(pipes) {
		<-heard
	}
}

// listenFar starts the node of the far ends.
func listenFar(n int, opened func(*wire.Session)) (*wire.Node, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	return wire.Listen(wire.Config{Conn: c, Key: key, MaxSessions: n + 1, Opened: opened})
}
