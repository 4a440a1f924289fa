package swarm

import (
	"context"
	"crypto/ed25519"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"nt/chunker"
	"nt/plugins/roulette"
	"nt/transport"
	"nt/transport/transporttest"
	"nt/transport/wire"
)

// word is what an introducer heard.
type word struct {
	from  transport.PeerID
	topic [32]byte
	is    bool
}

// startIntroducer starts a node that takes sessions and hears what their peers are after.
func startIntroducer(t *testing.T) (*wire.Node, <-chan word) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	words := make(chan word, 64)
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = 99
	n, err := wire.Listen(wire.Config{Conn: conn, Key: ed25519.NewKeyFromSeed(seed), Accept: func(*wire.Session) bool { return true },
		After: func(s *wire.Session, topic [32]byte, is bool) { words <- word{s.Peer(), topic, is} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, words
}

func hear(t *testing.T, words <-chan word) word {
	t.Helper()
	select {
	case w := <-words:
		return w
	case <-time.After(10 * time.Second):
		t.Fatal("the introducer hears nothing")
	}
	return word{}
}

// topicOf is another name for every object.
func topicOf(id chunker.ObjectID) [32]byte {
	id[0] ^= 1
	return id
}

// nobody serves nothing: what a node has that shares.
type nobody struct{}

func (nobody) Open(chunker.ObjectID) (transport.Object, error) { return nil, transport.ErrNotFound }

// While an object is fetched, introducers know of it, those as well whose session opens later, and no longer; a node that shares
// nothing says nothing.
func TestIntroducersHearWhatIsFetched(t *testing.T) {
	c, err := transporttest.NewContent(1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	meeter, words := startIntroducer(t)
	at := meeter.LocalAddr().(*net.UDPAddr).AddrPort()
	fetch := func(n byte, src transport.Source, early bool) (id transport.PeerID, cancel func()) {
		node := startNode(t, n, "kcp", src)
		if early {
			introduce(t, node.Transport.(*Node), at, meeter.ID())
		}
		ctx, end := context.WithCancel(t.Context())
		var done sync.WaitGroup
		begun := make(chan struct{})
		done.Go(func() {
			_ = node.Transport.Fetch(ctx, transport.Request{Object: c.ID(), Sink: transporttest.NewDiscard(c.ID()), Peers: func(ctx context.Context) ([]transport.Peer, error) {
				close(begun)
				<-ctx.Done()
				return nil, ctx.Err()
			}})
		})
		<-begun
		if !early {
			introduce(t, node.Transport.(*Node), at, meeter.ID())
		}
		return node.Peer.ID, func() { end(); done.Wait() }
	}
	_, leech := fetch(1, nil, true)
	for n, early := range map[byte]bool{2: true, 3: false} {
		id, cancel := fetch(n, nobody{}, early)
		if w := hear(t, words); w != (word{id, topicOf(c.ID()), true}) {
			t.Errorf("session first %t: heard %+v, want that %v is after the object", early, w, id.Short())
		}
		cancel()
		if w := hear(t, words); w != (word{id, topicOf(c.ID()), false}) {
			t.Errorf("session first %t: heard %+v, want that %v is after it no more", early, w, id.Short())
		}
	}
	leech()
	select {
	case w := <-words:
		t.Errorf("heard %+v of a node that shares nothing", w)
	default:
	}
}

// introduce opens a node's session with an introducer, as AddIntroducer does.
func introduce(t *testing.T, n *Node, at netip.AddrPort, id transport.PeerID) {
	t.Helper()
	s, err := n.wire.Dial(t.Context(), at, id, wire.Token{}, wire.ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := make(chan struct{})
	n.post(func() {
		n.introducedBy(id, introducer{s, topicOf})
		close(known)
	})
	<-known
}

// Who is named as fetching itself is greeted and not asked for WELCOME; the seed hears how many are.
func TestReadersNamedByALocatorAreGreeted(t *testing.T) {
	c, err := transporttest.NewContent(1, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	seed, other, reader := startNode(t, 1, "kcp", transporttest.Holding(c)), startNode(t, 2, "kcp", transporttest.Holding(c)), startNode(t, 3, "kcp", nil)
	var joins []uint8
	hellos := 0
	reader.Transport.(*Node).opts.Tap = func(_ *roulette.Core, m roulette.Message, _ int, heard bool) {
		switch m := m.(type) {
		case *roulette.Join:
			if !heard {
				joins = append(joins, m.Met)
			}
		case *roulette.Hello:
			if !heard {
				hellos++
			}
		}
	}
	named := other.Peer
	named.Reading = true
	err = reader.Transport.Fetch(t.Context(), transport.Request{Object: c.ID(), Sink: transporttest.NewDiscard(c.ID()),
		Peers: func(context.Context) ([]transport.Peer, error) { return []transport.Peer{seed.Peer, named}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if reader.Transport.Close(); len(joins) == 0 || joins[0] != 1 || len(joins) > 1 && joins[1] != 0 || hellos == 0 {
		t.Errorf("JOINs told of %v others, and %d were greeted; want one JOIN that tells of one, and one HELLO", joins, hellos)
	}
}
