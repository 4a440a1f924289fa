package lab

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/ed25519"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"nt/internal/simnet"
	"nt/transport/wire"
	"nt/transport/wire/kcp"
)

// kcp-go drives its sessions by a scheduler made at package init, outside every
// bubble. One made inside would spin: it runs what is due *before* now, and in virtual
// time now is never after what it waits for. So a bubble gets one that only takes tasks,
// and runs them itself, at the very times kcp-go asked for.

// timedSched is kcp-go's TimedSched, field by field: see TestTimedSchedIsAsWeKnowIt.
type timedSched struct {
	prependTasks    []timedFunc
	prependLock     sync.Mutex
	chPrependNotify chan struct{}
	chTask          chan timedFunc
	dieOnce         sync.Once
	die             chan struct{}
}

type timedFunc struct {
	execute func()
	ts      time.Time
}

// TestTimedSchedIsAsWeKnowIt fails when an update of kcp-go changes what the clock
// reaches into.
func TestTimedSchedIsAsWeKnowIt(t *testing.T) {
	theirs, ours := reflect.TypeFor[kcpgo.TimedSched](), reflect.TypeFor[timedSched]()
	if theirs.NumField() != ours.NumField() || theirs.Size() != ours.Size() {
		t.Fatalf("%d fields in %d bytes, want %d in %d", theirs.NumField(), theirs.Size(), ours.NumField(), ours.Size())
	}
	for i := range ours.NumField() {
		a, b := theirs.Field(i), ours.Field(i)
		if a.Name != b.Name || a.Offset != b.Offset || a.Type.Kind() != b.Type.Kind() {
			t.Errorf("field %d is %s %v at %d, want %s %v at %d", i, a.Name, a.Type, a.Offset, b.Name, b.Type, b.Offset)
		}
	}
	task := theirs.Field(0).Type.Elem()
	if task.NumField() != 2 || task.Field(0).Name != "execute" || task.Field(1).Name != "ts" || task.Field(1).Type != reflect.TypeFor[time.Time]() {
		t.Errorf("a task is %v", task)
	}
}

// startKCPClock makes kcp-go sessions of this bubble run in its time. stop must be called
// when they are closed, inside the bubble.
func startKCPClock() (stop func()) {
	before := kcpgo.SystemTimedSched
	sched := new(kcpgo.TimedSched)
	inside := (*timedSched)(unsafe.Pointer(sched))
	inside.chPrependNotify = make(chan struct{}, 1)
	kcpgo.SystemTimedSched = sched
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		runTasks(inside, done)
	}()
	return func() {
		close(done)
		<-over
		kcpgo.SystemTimedSched = before
	}
}

// taskHeap is a heap of what kcp-go scheduled, the earliest first.
type taskHeap []timedFunc

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].ts.Before(h[j].ts) }
func (h taskHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *taskHeap) Push(x any)        { *h = append(*h, x.(timedFunc)) }
func (h *taskHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = timedFunc{}
	*h = old[:len(old)-1]
	return x
}

// runTasks runs what kcp-go schedules, until done.
func runTasks(s *timedSched, done <-chan struct{}) {
	var waiting taskHeap
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.prependLock.Lock()
		tasks := s.prependTasks
		s.prependTasks = nil
		s.prependLock.Unlock()
		for _, t := range tasks {
			heap.Push(&waiting, t)
		}
		if now := time.Now(); len(waiting) == 0 {
			timer.Reset(time.Hour)
		} else if !waiting[0].ts.After(now) {
			heap.Pop(&waiting).(timedFunc).execute()
			continue
		} else {
			timer.Reset(waiting[0].ts.Sub(now))
		}
		select {
		case <-timer.C:
		case <-s.chPrependNotify:
		case <-done:
			return
		}
	}
}

func testKey(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

// TestWireOverLossyLinks: the encrypted wire and KCP run on emulated hosts in
// virtual time; a lost packet in a hundred costs time and nothing else.
func TestWireOverLossyLinks(t *testing.T) {
	const messages, size = 1000, 1000
	for _, loss := range []float64{0, 0.01, 0.05} {
		synctest.Test(t, func(t *testing.T) {
			defer startKCPClock()()
			n := simnet.New(simnet.Config{Seed: 1, Loss: loss})
			defer n.Close()
			link := simnet.Link{Up: 800_000, Down: 800_000, Delay: 15 * time.Millisecond}
			got := make(chan []byte, messages)
			var far *kcp.Pipe
			server := wireNode(t, n.Host(link), 1, func(s *wire.Session) bool {
				p, err := kcp.New(s, kcp.Config{}, func(m []byte) { got <- bytes.Clone(m) })
				far = p
				return err == nil
			})
			clientHost := n.Host(link)
			client := wireNode(t, clientHost, 2, nil)
			addr, _ := netip.ParseAddrPort(server.LocalAddr().String())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := client.Dial(ctx, addr, server.ID(), wire.Token{}, wire.ChannelKCP, nil)
			if err != nil {
				t.Fatal(err)
			}
			opened := n.Now()
			near, err := kcp.New(s, kcp.Config{Queue: 2 * messages * size}, func([]byte) {})
			if err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				if err := near.Send(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
					t.Fatal(err)
				}
			}
			for i := range messages {
				if m := <-got; len(m) != size || m[0] != byte(i) {
					t.Fatalf("message %d is %d bytes of %d", i, len(m), m[0])
				}
			}
			own := messages * size * 8 * time.Second / 800_000
			if took := n.Now() - opened; took < own || took > 2*own+10*own*time.Duration(loss*100)/10 {
				t.Errorf("loss %v: %d messages took %v, their bytes %v", loss, messages, took, own)
			} else {
				t.Logf("loss %v: open after %v, %d kB in %v; the bytes alone %v", loss, opened, messages*size/1000, took, own)
			}
			if sent := clientHost.Traffic(); sent.PacketsOut < messages*size/1400 || (sent.Lost > 0) != (loss > 0) {
				t.Errorf("loss %v: %d packets went out and %d were lost", loss, sent.PacketsOut, sent.Lost)
			}
			near.Close()
			<-far.Done()
			far.Close()
			client.Close()
			server.Close()
		})
	}
}

func wireNode(t *testing.T, h *simnet.Host, key byte, accept func(*wire.Session) bool) *wire.Node {
	t.Helper()
	c, err := h.ListenPacket(4000)
	if err != nil {
		t.Fatal(err)
	}
	n, err := wire.Listen(wire.Config{Conn: c, Key: testKey(key), Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
