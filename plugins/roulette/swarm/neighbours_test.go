package swarm

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"nt/transport"
	"nt/transport/transporttest"
	"nt/transport/wire/wiretest"
)

// crowdVar makes the test binary the readers of BenchmarkNeighbours: the seed's key and address.
const crowdVar = "NT_SWARM_CROWD"

func TestMain(m *testing.M) {
	if args := os.Getenv(crowdVar); args != "" {
		if err := playCrowd(strings.Fields(args)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The crowd of BenchmarkNeighbours: so many readers of an object, each limited to a rate.
const (
	crowdReaders = 32
	crowdSize    = 4 << 20
	crowdRate    = 512 << 10
)

// BenchmarkNeighbours measures what 32 neighbours cost a seed while they read from it. They run in
// a process of their own, and it introduces them to nobody: 500 sessions among them would only
// keep the processors busy.
//
//	go test -run '^$' -bench Neighbours -benchtime 1x ./plugins/roulette/swarm
func BenchmarkNeighbours(b *testing.B) {
	c, err := transporttest.NewContent(1, crowdSize)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		before := wiretest.TakeStock()
		seed := startNode(b, 1, "kcp", transporttest.Holding(c))
		seed.Transport.(*Node).params.JoinList, seed.Transport.(*Node).params.JoinMin = 0, 0
		exe, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s", crowdVar, seed.Peer.ID, seed.Peer.Addr))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		until := func(want string) wiretest.Stock {
			if !lines.Scan() || lines.Text() != want {
				b.Fatalf("the crowd says %q, want %q", lines.Text(), want)
			}
			return wiretest.TakeStock()
		}
		started := until("reading")
		middle := until("half")
		end := until("done")
		if err := cmd.Wait(); err != nil {
			b.Fatalf("the crowd: %v", err)
		}
		report := func(what string, v int64) { b.ReportMetric(float64(v)/crowdReaders, what+"/neighbour") }
		report("heapB", middle.Heap-before.Heap)
		report("rssB", middle.Resident-before.Resident)
		report("goroutines", int64(middle.Goroutines-before.Goroutines))
		b.ReportMetric(end.Load(started), "cpu-ms/s")
		stats := seed.Transport.(*Node).wire.Stats()
		b.ReportMetric(float64(stats.BytesOut)/crowdSize, "objects-sent")
		b.ReportMetric((end.CPU-started.CPU).Seconds()/float64(stats.BytesOut)*1e9, "cpu-s/GB-sent")
	}
}

// playCrowd runs the readers and tells how far they are.
func playCrowd(args []string) error {
	seed := transport.Peer{Transports: []string{Name}}
	if err := seed.ID.UnmarshalText([]byte(args[0])); err != nil {
		return err
	}
	var err error
	if seed.Addr, err = netip.ParseAddrPort(args[1]); err != nil {
		return err
	}
	c, err := transporttest.NewContent(1, crowdSize)
	if err != nil {
		return err
	}
	fmt.Println("reading")
	var wg sync.WaitGroup
	errs := make(chan error, crowdReaders)
	for i := range crowdReaders {
		wg.Go(func() { errs <- readInCrowd(c, seed, i) })
	}
	time.Sleep(crowdSize / crowdRate / 2 * time.Second)
	fmt.Println("half")
	wg.Wait()
	fmt.Println("done")
	for range crowdReaders {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// readInCrowd is reader number i, in a network group of its own.
func readInCrowd(c *transporttest.Content, seed transport.Peer, i int) error {
	conn, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.%d.1:0", 1+i))
	if err != nil {
		return err
	}
	tr, err := Open(transport.Env{AllowPrivate: true, Packet: conn})
	if err != nil {
		return err
	}
	defer tr.Close()
	return tr.Fetch(context.Background(), transport.Request{Object: c.ID(), Sink: transporttest.NewSink(c.ID()), Limit: crowdRate,
		Peers: func(context.Context) ([]transport.Peer, error) { return []transport.Peer{seed}, nil }})
}
