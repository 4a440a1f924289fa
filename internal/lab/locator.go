package lab

import (
	"context"
	"math/rand/v2"
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

func newLocator(w *World) *locator {
	return &locator{world: w, reading: crowd.New[*Node](1 << 14), rng: rand.New(rand.NewPCG(w.Case.Seed, 3))}
}

func (l *locator) topic() crowd.Topic { return crowd.Topic(l.world.Original.ID()) }

// holders answers a node's question with who holds the object, and no more.
func (l *locator) holders(n *Node) func(context.Context) ([]transport.Peer, error) {
	return func(context.Context) (out []transport.Peer, _ error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, h := range l.world.Holding() {
			out = append(out, h.toldTo(n, h.grants(), false))
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
		for _, x := range l.reading.Pick(time.Now(), l.topic(), crowd.Names, l.rng, func(x *Node) bool { return x != n }) {
			out = append(out, x.toldTo(n, x.granted, true))
		}
		return out, nil
	}
}

// toldTo is the node as the locator names it to another, with a token from the grant that it gave.
func (n *Node) toldTo(to *Node, grant wire.Grant, reading bool) transport.Peer {
	token := grant.Token(to.Addr())
	return transport.Peer{ID: peerID(n.Index), Addr: n.Addr(), Transports: []string{swarm.Name}, Token: token[:], Reading: reading}
}

// follow hears from a reader that it is fetching, until it leaves: its session with a tracker takes a round trip to open, and the word another
// way. Its grant comes with each word. What it says in the end the locator hears unless it leaves without a word.
func (l *locator) follow(n *Node, grant func() wire.Grant) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for wait := 3 * (n.delay + l.world.Case.Delay/2); ; wait = crowd.SayEvery {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			l.mu.Lock()
			n.granted = grant()
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
		l.reading.Leave(time.Now(), l.topic(), n)
	}
}

// everyMinute returns a grant that is a minute old at most: as seldom as that a tracker gets one (locator.mu).
func everyMinute(fresh func() wire.Grant) func() wire.Grant {
	var at time.Time
	var grant wire.Grant
	return func() wire.Grant {
		if now := time.Now(); at.IsZero() || now.Sub(at) > time.Minute {
			grant, at = fresh(), now
		}
		return grant
	}
}
