package lab

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"nt/internal/crowd"
	"nt/plugins/roulette/swarm"
	"nt/transport"
	"nt/transport/wire"
)

// locator is what Roulette's nodes ask: as `nt tracker` it names who holds the object, and who is fetching it at the moment
// (docs/adr/0038), each with a token, and tells the object's header. It costs nothing and answers at once, as the rivals' tracker does; of
// readers it hears as late as a tracker would.
type locator struct {
	world *World

	mu      sync.Mutex
	reading *crowd.Table[*Node]
	rng     *rand.Rand
}

const (
	// locatorNames is how many readers are named, as many as a tracker names.
	locatorNames = 8
	// sayEvery is how often a reader says that it is still fetching.
	sayEvery = 10 * time.Second
)

func newLocator(w *World) *locator {
	return &locator{world: w, reading: crowd.New[*Node](1 << 14), rng: rand.New(rand.NewPCG(w.Case.Seed, 3))}
}

func (l *locator) topic() crowd.Topic { return crowd.Topic(l.world.Original.ID()) }

// holders answers a node's question with who holds the object, and no more.
func (l *locator) holders(n *Node) func(context.Context) ([]transport.Peer, error) {
	return func(context.Context) (out []transport.Peer, _ error) {
		for _, h := range l.world.Holding() {
			out = append(out, h.toldTo(n, false))
		}
		return out, nil
	}
}

// peers answers a node's question.
func (l *locator) peers(n *Node) func(context.Context) ([]transport.Peer, error) {
	holders := l.holders(n)
	return func(ctx context.Context) ([]transport.Peer, error) {
		out, _ := holders(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, x := range l.reading.Pick(time.Now(), l.topic(), locatorNames, l.rng, func(x *Node) bool { return x != n }) {
			out = append(out, x.toldTo(n, true))
		}
		return out, nil
	}
}

// toldTo is the node as the locator names it to another.
func (n *Node) toldTo(to *Node, reading bool) transport.Peer {
	return transport.Peer{ID: peerID(n.Index), Addr: n.Addr(), Transports: []string{swarm.Name}, Token: n.vouch(to.Addr()), Reading: reading}
}

// follow hears from a reader that it is fetching, until it leaves: its session with a tracker takes a round trip to open, and the word another
// way. What it says in the end the locator hears unless it leaves without a word.
func (l *locator) follow(n *Node) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for wait := 3 * (n.delay + l.world.Case.Delay/2); ; wait = sayEvery {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			l.mu.Lock()
			l.reading.Join(time.Now(), l.topic(), n, transport.NetworkGroup(n.Addr().Addr()))
			l.mu.Unlock()
		}
	})
	return func() {
		cancel()
		done.Wait()
		if n.silent {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.reading.Leave(l.topic(), n)
	}
}

// voucher makes tokens that open a node's gate, as a tracker does whose answer to a join names the node.
func voucher(n *swarm.Node) func(netip.AddrPort) []byte {
	var mu sync.Mutex
	var grant wire.Grant
	var at time.Time
	return func(to netip.AddrPort) []byte {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); at.IsZero() || now.Sub(at) > time.Minute {
			grant, at = n.Grant(), now
		}
		t := grant.Token(to)
		return t[:]
	}
}
