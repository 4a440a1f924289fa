package transporttest

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nt/transport"
)

// gate makes an object's reads wait after the first n until it is opened; those
// before arm do not count. Open it before the nodes are closed: t.Cleanup(open)
// after Start.
type gate struct {
	arm     func()
	reached <-chan struct{} // closed when the first one waits
	open    func()
}

func gateAfter(o *Object, n int64) gate {
	wait, at := make(chan struct{}), make(chan struct{})
	var once, first sync.Once
	var from atomic.Int64 // reads before; -1: not armed
	from.Store(-1)
	o.OnRead = func(int) {
		if base := from.Load(); base >= 0 && o.Reads()-base > n {
			first.Do(func() { close(at) })
			<-wait
		}
	}
	return gate{
		arm:     func() { from.Store(o.Reads()) },
		reached: at,
		open:    func() { once.Do(func() { close(wait) }) },
	}
}

// testCancel: Fetch ends with its context while a neighbour keeps it waiting,
// and touches the sink no more.
func testCancel(t *testing.T, h Harness) {
	testInterrupted(t, h, context.Canceled, func(_ Node, cancel context.CancelFunc) { cancel() })
}

// testClose: closing the transport ends its fetches.
func testClose(t *testing.T, h Harness) {
	testInterrupted(t, h, nil, func(reader Node, _ context.CancelFunc) { reader.Close() })
}

func testInterrupted(t *testing.T, h Harness, want error, interrupt func(Node, context.CancelFunc)) {
	c := content(t, 1, 300*kib)
	obj := NewObject(c, nil)
	gate := gateAfter(obj, 150)
	nodes := h.Start(t, Source{c.ID(): obj}, nil)
	t.Cleanup(gate.open)
	h.warm(t, nodes[0], c.ID())
	gate.arm()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFetch(nodes[1], c, nodes[0])
	some := make(chan struct{})
	var once sync.Once
	f.sink.OnPut = func(int) { once.Do(func() { close(some) }) }
	done := make(chan error, 1)
	go func() { done <- f.run(ctx) }()
	<-gate.reached
	<-some
	interrupt(nodes[1], cancel)
	if err := <-done; err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("Fetch: %v, want %v", err, want)
	}
	before := f.sink.Bytes()
	gate.open()
	f.mustBeRight(t, c)
	nodes[1].Close()
	if after := f.sink.Bytes(); after != before {
		t.Errorf("%d bytes came after Fetch had returned", after-before)
	}
}

// testSinkFails: a full disk is the reader's own trouble: its error comes back
// and no peer is blamed.
func testSinkFails(t *testing.T, h Harness) {
	c := content(t, 1, 40*kib)
	nodes := h.Start(t, Holding(c), nil)
	f := newFetch(nodes[1], c, nodes[0])
	f.sink.FailPut = errors.New("disk full")
	f.mustFail(t, c, f.sink.FailPut)
	if n := f.Failures(transport.EventBadPeer, nodes[0].Peer.Addr); n != 0 {
		t.Errorf("the peer was blamed %d times for a full disk", n)
	}
}

// testTwoAtOnce: two objects in both directions between the same nodes.
func testTwoAtOnce(t *testing.T, h Harness) {
	a, b, both := content(t, 1, 500*kib), content(t, 2, 500*kib), content(t, 3, 90*kib)
	nodes := h.Start(t, Holding(a, both), Holding(b))
	var wg sync.WaitGroup
	for _, f := range []struct {
		c        *Content
		from, to Node
	}{{a, nodes[0], nodes[1]}, {b, nodes[1], nodes[0]}, {both, nodes[0], nodes[1]}} {
		wg.Go(func() {
			x := newFetch(f.to, f.c, f.from)
			if err := x.run(t.Context()); err != nil {
				t.Errorf("Fetch: %v\n%s", err, &x.Log)
			} else if err := x.sink.Check(f.c); err != nil || !x.sink.Complete() {
				t.Errorf("the sink: complete is %v, %v", x.sink.Complete(), err)
			}
		})
	}
	wg.Wait()
}

// testLimit: a fetch takes at least as long as its limit says, with a limit and with four times as
// much. A busy machine makes it only longer.
func testLimit(t *testing.T, h Harness) {
	const limit, size, last = 192 * kib, 160 * kib, 24 * kib // an eighth of a second may be saved up before, and the last read come early
	c := content(t, 1, size)
	nodes := h.Start(t, Holding(c), nil, nil)
	for i, rate := range []int64{limit, 4 * limit} {
		f := newFetch(nodes[1+i], c, nodes[0])
		f.limit = rate
		began := time.Now()
		f.mustComplete(t, c)
		least := time.Duration(float64(size-last-rate/8) / float64(rate) * float64(time.Second))
		if took := time.Since(began); took < least {
			t.Errorf("%d bytes at %d bytes a second took %v, want at least %v", c.Header().Size, rate, took, least)
		}
	}
}

// bigEnv makes the big object 1 GiB instead of 64 MiB.
const bigEnv = "NT_TRANSPORTTEST_1GIB"

// maxLive is how much memory in use may grow during the big fetch, in bytes, on
// both sides together.
const maxLive = 24 << 20

// testBig: a large object takes memory that does not depend on its size.
func testBig(t *testing.T, h Harness) {
	size := int64(64 << 20)
	if os.Getenv(bigEnv) != "" {
		size = 1 << 30
	}
	c := content(t, 1, size)
	nodes := h.Start(t, Holding(c), nil)
	f := newFetch(nodes[1], c, nodes[0])
	f.sink = NewDiscard(c.ID())
	base, peak := live(), uint64(0)
	var puts atomic.Int64
	every := int64(c.Header().NumChunks() / 16)
	f.sink.OnPut = func(int) {
		if puts.Add(1)%every == 0 {
			peak = max(peak, live())
		}
	}
	if err := f.run(t.Context()); err != nil {
		t.Fatalf("Fetch: %v\n%s", err, &f.Log)
	}
	if f.sink.Bytes() != size || f.Bytes(transport.EventChunk) != size {
		t.Errorf("%d bytes came, events tell of %d, want %d", f.sink.Bytes(), f.Bytes(transport.EventChunk), size)
	}
	if peak > base+maxLive {
		t.Errorf("memory in use grew by %d MiB for an object of %d MiB", (peak-base)>>20, size>>20)
	}
	t.Logf("memory in use grew by %d KiB, overhead %d bytes", (int64(peak)-int64(base))/kib, f.Bytes(transport.EventOverhead))
}

// live returns the bytes of memory in use, garbage not counted.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
