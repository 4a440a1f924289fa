package transporttest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nt/chunker"
	"nt/transport"
)

// guard ends a case that hangs. No case depends on its length.
const guard = 60 * time.Second

// Node is one node of the transport under test.
type Node struct {
	transport.Transport
	// Peer is how others reach the node.
	Peer transport.Peer
	// Kill cuts the node off at once, without a goodbye and without waiting: its
	// connections die and nobody answers at its address. It may be called from
	// a Source's Object and more than once.
	Kill func()
}

// Harness starts nodes of one transport.
type Harness struct {
	// Start opens one node for each source, all able to reach each other; a nil
	// Source is a node that serves nothing. It stops them in t.Cleanup. Time-outs
	// must be short, a second or so, since some cases wait for them, and a list of
	// peers must be asked for at least twice before a fetch gives up.
	Start func(t testing.TB, sources ...transport.Source) []Node
	// Warm, if not nil, lets a node do what it has to do once before it can offer
	// an object, such as reading it as a whole, and returns when that is done. The
	// cases that count a holder's reads count from there.
	Warm func(t testing.TB, holder Node, id chunker.ObjectID)
	// Skip names cases that cannot apply to the transport, with the reason.
	Skip map[string]string
}

// Run runs the conformance suite.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"Sizes", testSizes},
		{"AlreadyComplete", testAlreadyComplete},
		{"DisjointParts", testDisjointParts},
		{"Resume", testResume},
		{"PartOnly", testPartOnly},
		{"NobodyHelps", testNobodyHelps},
		{"UnusablePeers", testUnusablePeers},
		{"Cancel", testCancel},
		{"Close", testClose},
		{"SinkFails", testSinkFails},
		{"SlowNeighbour", testSlowNeighbour},
		{"SilentNeighbour", testSilentNeighbour},
		{"DyingNeighbour", testDyingNeighbour},
		{"LyingNeighbour", testLyingNeighbour},
		{"OnlyLiars", testOnlyLiars},
		{"TwoAtOnce", testTwoAtOnce},
		{"Limit", testLimit},
		{"Big", testBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := h.Skip[c.name]; ok {
				t.Skip(why)
			}
			noLeaks(t)
			c.run(t, h)
		})
	}
}

// warm calls Warm, if there is one.
func (h Harness) warm(t testing.TB, holder Node, id chunker.ObjectID) {
	t.Helper()
	if h.Warm != nil {
		h.Warm(t, holder, id)
	}
}

// noLeaks fails the case if it leaves goroutines behind once its nodes are closed.
// It must be called before Start.
func noLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Errorf("goroutines left behind: %v", err)
		}
	})
}

// content returns content of that size or ends the test.
func content(t testing.TB, seed uint64, size int64) *Content {
	t.Helper()
	c, err := NewContent(seed, size)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fetch is one Fetch of a case.
type fetch struct {
	Log
	reader Node
	sink   *Sink
	limit  int64
	// peers returns list number n, counted from 0.
	peers func(n int) ([]transport.Peer, error)
}

func newFetch(reader Node, c *Content, peers ...Node) *fetch {
	return &fetch{reader: reader, sink: NewSink(c.ID()), peers: always(peers...)}
}

// always returns the same list every time.
func always(nodes ...Node) func(int) ([]transport.Peer, error) {
	var list []transport.Peer
	for _, n := range nodes {
		list = append(list, n.Peer)
	}
	return func(int) ([]transport.Peer, error) { return slices.Clone(list), nil }
}

func (f *fetch) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, guard, errors.New("the case hangs"))
	defer cancel()
	asked := 0
	return f.reader.Fetch(ctx, transport.Request{
		Object: f.sink.id,
		Sink:   f.sink,
		Limit:  f.limit,
		Peers: func(context.Context) ([]transport.Peer, error) {
			asked++
			return f.peers(asked - 1)
		},
		Observe: f.Observe,
	})
}

// mustComplete runs the fetch and checks the result: every byte is there, right,
// and accounted once.
func (f *fetch) mustComplete(t *testing.T, c *Content) {
	t.Helper()
	before := f.sink.Bytes()
	if err := f.run(t.Context()); err != nil {
		t.Fatalf("Fetch: %v\n%s", err, &f.Log)
	}
	if !f.sink.Complete() {
		t.Fatal("Fetch returned nil and the sink is not complete")
	}
	f.mustBeRight(t, c)
	if got, want := f.Bytes(transport.EventChunk), c.Header().Size-before; got != want {
		t.Errorf("events tell of %d bytes of content, %d came", got, want)
	}
}

// mustFail runs the fetch and checks that it ends with want and nothing wrong was kept.
func (f *fetch) mustFail(t *testing.T, c *Content, want error) {
	t.Helper()
	if err := f.run(t.Context()); !errors.Is(err, want) {
		t.Errorf("Fetch: %v, want %v\n%s", err, want, &f.Log)
	}
	f.mustBeRight(t, c)
}

func (f *fetch) mustBeRight(t *testing.T, c *Content) {
	t.Helper()
	if err := f.sink.Check(c); err != nil {
		t.Errorf("the sink: %v", err)
	}
}
