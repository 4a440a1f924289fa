package tracker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nt/chunker"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
	"nt/transport"
)

// endpoints answers probes and knows sessions.
type endpoints struct {
	after time.Duration // until a probe is answered

	mu       sync.Mutex
	open     map[netip.AddrPort]bool
	sessions map[transport.PeerID]netip.AddrPort
	asked    []netip.AddrPort
	now, max int // probes under way
}

func (e *endpoints) Probe(ctx context.Context, a netip.AddrPort, _ []string) bool {
	e.mu.Lock()
	e.asked = append(e.asked, a)
	e.now++
	e.max = max(e.max, e.now)
	open := e.open[a]
	e.mu.Unlock()
	defer func() { e.mu.Lock(); e.now--; e.mu.Unlock() }()
	if !open {
		<-ctx.Done()
		return false
	}
	select {
	case <-time.After(e.after):
		return true
	case <-ctx.Done():
		return false
	}
}

func (e *endpoints) Key() transport.PeerID { return docNotary{}.peer() }
func (e *endpoints) Endpoint(id transport.PeerID) (netip.AddrPort, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, ok := e.sessions[id]
	return a, ok
}
func (*endpoints) After(chunker.ObjectID, int, netip.AddrPort, *rand.Rand) []transport.PeerID {
	return nil
}

func (e *endpoints) meet(p storetest.Peer, at string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sessions[p.ID()] = netip.MustParseAddrPort(at)
}

func reasonOf(err error) tracker.Reason {
	var r *tracker.RefusedError
	errors.As(err, &r)
	if r == nil {
		return ""
	}
	return r.Reason
}

// proving is a tracker that takes nobody who does not answer.
func proving(t *testing.T, after time.Duration) (*tracker.Tracker, *endpoints) {
	e := &endpoints{after: after, open: map[netip.AddrPort]bool{}, sessions: map[transport.PeerID]netip.AddrPort{}}
	return newTracker(t, tracker.Config{Store: memory.New(memory.Config{}), Prober: e, Rendezvous: e}), e
}

func tryAnnounce(tr *tracker.Tracker, p storetest.Peer) error {
	now := time.Now()
	_, err := tr.Announce(now, p.Addr.Addr(), announceRequest(p, now, p.State("page", "object", now)))
	return err
}

func found(t *testing.T, tr *tracker.Tracker) (addrs []string) {
	t.Helper()
	got, err := tr.Lookup(time.Now(), netip.MustParseAddr("9.9.9.9"), tracker.LookupRequest{Keys: tracker.Keys{storetest.Key("page")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Results[0].Peers {
		addrs = append(addrs, p.Addr)
	}
	return addrs
}

// TestRow11_OnlyEndpointsThatAnswerAreNamed: who answers is asked once in half an hour; who does not is refused
// and never named, until a session shows where it is.
func TestRow11_OnlyEndpointsThatAnswerAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, e := proving(t, 80*time.Millisecond)
		good, dead := storetest.NewPeer(1, "1.2.3.4:7000"), storetest.NewPeer(2, "2.2.3.4:7000")
		e.open[good.Addr] = true
		if err := tryAnnounce(tr, dead); reasonOf(err) != tracker.ReasonSilent {
			t.Fatalf("a silent endpoint: %v", err)
		}
		if got := found(t, tr); len(got) != 0 {
			t.Fatalf("named %v", got)
		}
		for range 3 {
			if err := tryAnnounce(tr, good); err != nil {
				t.Fatal(err)
			}
			time.Sleep(9 * time.Minute)
		}
		if got := found(t, tr); len(got) != 1 || got[0] != "1.2.3.4:7000" || len(e.asked) != 2 {
			t.Errorf("named %v after the probes %v", got, e.asked)
		}
		time.Sleep(5 * time.Minute)
		if tryAnnounce(tr, good); len(e.asked) != 3 {
			t.Errorf("after half an hour it was not asked again: %v", e.asked)
		}
		e.meet(dead, "2.2.3.4:61000") // its NAT gives it another port
		if err := tryAnnounce(tr, dead); err != nil || len(e.asked) != 3 {
			t.Fatalf("with a session: %v; asked %v", err, e.asked)
		}
		e.mu.Lock()
		clear(e.sessions)
		e.mu.Unlock()
		if got := fmt.Sprint(found(t, tr)); got != "[1.2.3.4:7000 2.2.3.4:61000]" && got != "[2.2.3.4:61000 1.2.3.4:7000]" {
			t.Errorf("named %v; what was announced never answered", got)
		}
		if s := tr.Stats(time.Now(), time.Now()); s.Probes != 3 || s.Silent != 1 || s.Refused[tracker.ReasonSilent] != 1 {
			t.Errorf("counted %+v", s)
		}
	})
}

// TestASessionThatOpensMeanwhileIsEnough: a peer behind a NAT opens its session while it announces.
func TestASessionThatOpensMeanwhileIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, e := proving(t, time.Hour)
		p := storetest.NewPeer(1, "1.2.3.4:7000")
		time.AfterFunc(200*time.Millisecond, func() { e.meet(p, "1.2.3.4:50000") })
		began := time.Now()
		if err := tryAnnounce(tr, p); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		time.Sleep(time.Second) // the probe ends
	})
}

// TestProbesAreBounded: one network cannot make the tracker ask many endpoints at a time, and few announcements
// wait; the others are told to come again, and then need not wait.
func TestProbesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, e := proving(t, 300*time.Millisecond)
		var wg sync.WaitGroup
		var mu sync.Mutex
		reasons := map[tracker.Reason]int{}
		announce := func(n int, addr string) {
			p := storetest.NewPeer(n, addr)
			e.mu.Lock()
			e.open[p.Addr] = true
			e.mu.Unlock()
			wg.Go(func() {
				r := reasonOf(tryAnnounce(tr, p))
				mu.Lock()
				reasons[r]++
				mu.Unlock()
			})
		}
		for i := range 100 {
			announce(i, fmt.Sprintf("1.2.3.4:%d", 1000+i))
		}
		wg.Wait()
		if e.max > 32 || reasons[""] > 32 || reasons[tracker.ReasonBusy] < 68 {
			t.Errorf("one network: %d probes at a time, %v", e.max, reasons)
		}
		clear(reasons)
		for i := range 600 {
			announce(1000+i, fmt.Sprintf("%d.%d.3.4:7000", 11+i%100, i/100))
		}
		wg.Wait()
		if reasons[tracker.ReasonBusy] == 0 || reasons[""] < 200 {
			t.Errorf("a crowd: %v", reasons)
		}
		clear(reasons)
		asked := len(e.asked)
		for i := range 600 {
			announce(1000+i, fmt.Sprintf("%d.%d.3.4:7000", 11+i%100, i/100))
		}
		wg.Wait()
		if reasons[""] != 600 || len(e.asked) != asked {
			t.Errorf("the crowd again: %v, %d more probes", reasons, len(e.asked)-asked)
		}
	})
}
