package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/chunker/store"
	"nt/peer/cache"
	"nt/transport"
)

const (
	// maxReports bounds the failure reports that wait to be sent in one fetch.
	maxReports = 64
	// reportTimeout bounds one report.
	reportTimeout = 5 * time.Second
	// maxPeersNamed bounds the peers whose bytes are counted apart in one fetch.
	maxPeersNamed = 256
	// maxArrivals bounds the chunks from the origin that transports have yet to hear of.
	maxArrivals = 256
	// roundWait is the pause before all transports are tried again because the origin moves.
	roundWait = time.Second
)

// fetches are the objects that are coming from peers: each once, however many
// readers wait for it. The zero value is ready.
type fetches struct {
	mu sync.Mutex
	m  map[chunker.ObjectID]*fetch
}

// fetch brings one object from peers, over each transport in turn (N11).
type fetch struct {
	n     *Node
	entry cache.Entry
	obj   store.Object
	limit int64
	// failed ends, with the cause, when the object will not become complete.
	failed context.Context
	fail   context.CancelCauseFunc
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	readers  int
	over     bool
	unwanted bool          // its only reader wanted another content
	done     chan struct{} // closed when the copy is kept, or not
	holders  []Holder
	bad      map[peerName]bool   // peers not to be asked again
	labels   map[peerName]string // peerLabel of each
	met      map[string]int64    // bytes of content by peer, see peerLabel
	by       map[string]int64    // bytes of content by transport
	told     map[complaint]bool  // reports that were made
	seen     Progress            // for readers that come later
	lives    []*Live
	reports  chan Failure
	helper   *helper  // the origin, while it is of use; nil if not
	noHelp   bool     // the origin has shown that it is of no use
	own      nois.Set // chunks that came from the origin
	enough   func()   // ends the transport that runs: the origin has brought the rest
	arrivals chan int // the same chunks, for the transports
}

// enter joins the fetch of an object or starts one.
func (fs *fetches) enter(n *Node, e cache.Entry, holders []Holder, limit int64) (*fetch, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.m[e.Object()]; f != nil && f.join() {
		return f, nil
	}
	if len(holders) == 0 {
		return nil, errNoHolder
	}
	if len(n.cfg.Transports) == 0 {
		return nil, errors.New("no transport to reach peers with")
	}
	obj, err := n.cfg.Store.Create(e.Object())
	if err != nil {
		return nil, fmt.Errorf("making room for the copy: %w", err)
	}
	f := &fetch{n: n, entry: e, obj: obj, limit: limit, readers: 1, holders: holders,
		bad: map[peerName]bool{}, labels: map[peerName]string{}, met: map[string]int64{}, by: map[string]int64{}, told: map[complaint]bool{}, reports: make(chan Failure, maxReports), done: make(chan struct{}), arrivals: make(chan int, maxArrivals)}
	f.failed, f.fail = context.WithCancelCause(context.Background())
	ctx, cancel := context.WithCancelCause(n.ctx)
	f.cancel = cancel
	if fs.m == nil {
		fs.m = make(map[chunker.ObjectID]*fetch)
	}
	fs.m[e.Object()] = f
	n.cfg.Shelf.Put(f.name(), e.Object()) // peers who fetch it too are served meanwhile
	n.filling.start()
	n.work.Go(func() { f.report() })
	n.work.Go(func() {
		defer n.filling.end()
		err := f.run(ctx)
		fs.mu.Lock()
		delete(fs.m, e.Object())
		fs.mu.Unlock()
		f.end(err)
		n.cfg.Shelf.Take(f.name())
	})
	return f, nil
}

// name is the reason to have the object on the shelf.
func (f *fetch) name() string { return "fetch " + f.entry.Object().String() }

func (f *fetch) join() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.readers == 0 {
		return false
	}
	f.readers++
	return true
}

// leave ends a reader's interest; the last one ends the fetch unless little is missing.
func (f *fetch) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers--; f.readers == 0 && !f.over {
		h, ok := f.obj.Header()
		if !ok || !worthFinishing(min(int64(f.obj.Have().Count())*int64(h.ChunkSize()), h.Size), h.Size) {
			f.cancel(errAbandoned)
		}
	}
}

// reject says that what comes is not what its reader asked for, so that it does not take
// the place of what is. When it is too late for that it waits until it is kept.
func (f *fetch) reject() {
	f.mu.Lock()
	over := f.over
	if f.readers == 1 {
		f.unwanted = true
	}
	f.mu.Unlock()
	if over {
		<-f.done
	}
}

// observe makes live count what the fetch does.
func (f *fetch) observe(live *Live) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lives = append(f.lives, live)
	live.update(func(p *Progress) {
		p.BytesByPeer, p.BytesByTransport = maps.Clone(f.met), maps.Clone(f.by)
	})
	f.tell(live, "")
}

// tell copies the figures of the fetch to a reader, and those of the peer that
// changed them; mu is held.
func (f *fetch) tell(live *Live, label string) {
	live.update(func(p *Progress) {
		p.Overhead, p.ProofsFailed, p.PeersFailed = f.seen.Overhead, f.seen.ProofsFailed, f.seen.PeersFailed
		p.PeersMet = len(f.met)
		if n := f.met[label]; n > 0 {
			p.BytesByPeer[label] = n
		}
		maps.Copy(p.BytesByTransport, f.by)
	})
}

// run fetches from peers until the object is complete; for as long as the origin brings chunks
// beside them, it does not give up.
func (f *fetch) run(ctx context.Context) error {
	for again := false; ; again = true {
		before := f.brought()
		err := f.overTransports(ctx, again)
		if err == nil || !errors.Is(err, transport.ErrNoProgress) || f.brought() == before {
			return err
		}
		select {
		case <-time.After(roundWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// overTransports tries the transports one after another until the object is complete; each goes on
// with the chunks that are there. anew asks the locator first. The error says why each ended.
func (f *fetch) overTransports(ctx context.Context, anew bool) error {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	f.mu.Lock()
	f.enough = enough
	f.mu.Unlock()
	all := errNoHolder
	for i, t := range f.n.cfg.Transports {
		if f.obj.Complete() {
			return nil
		}
		err := f.overOne(ctx, t, anew)
		if f.obj.Complete() {
			return nil
		}
		if err == nil {
			err = transport.ErrNoProgress
		}
		if ctx.Err() != nil {
			return err
		}
		f.n.cfg.Log.Debug("transport ended", "transport", t.Name(), "object", f.entry.Object(), "err", err)
		switch {
		case !errors.Is(err, transport.ErrNoProgress): // no peer's fault
			return err
		case i == 0:
			all = fmt.Errorf("over %s: %w", t.Name(), err)
		default:
			all = fmt.Errorf("%w; over %s: %w", all, t.Name(), err)
		}
	}
	return all
}

// overOne runs one transport.
func (f *fetch) overOne(ctx context.Context, t transport.Transport, anew bool) error {
	first := !anew
	return t.Fetch(ctx, transport.Request{
		Object: f.entry.Object(), Sink: f.obj, Limit: f.limit, Arrivals: f.arrivals, Observe: func(e transport.Event) { f.event(t.Name(), e) },
		Peers: func(ctx context.Context) ([]transport.Peer, error) {
			again := !first
			first = false
			return f.peers(ctx, t.Name(), again)
		},
	})
}

// peers returns who may be asked over a transport; again asks the locator anew.
func (f *fetch) peers(ctx context.Context, name string, again bool) ([]transport.Peer, error) {
	var err error
	if again {
		var known Found
		if known, err = f.n.lookup(ctx, f.entry.Statement.Key); err == nil {
			f.mu.Lock()
			f.holders = holdersOf(known, f.entry.Statement)
			f.mu.Unlock()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []transport.Peer
	for _, h := range f.holders {
		speaks := len(h.Transports) == 0 || slices.Contains(h.Transports, name)
		if speaks && !f.bad[nameOfPeer(h.Peer)] && (h.ID.IsZero() || h.ID != f.n.id()) {
			out = append(out, h.Peer)
		}
	}
	return out, err
}

// end settles the fetch: the copy is kept, or its readers learn that it failed.
func (f *fetch) end(err error) {
	f.mu.Lock()
	f.over = true
	unwanted := f.unwanted
	close(f.reports)
	f.mu.Unlock()
	defer close(f.done)
	f.cancel(nil)
	switch {
	case err != nil:
		f.fail(err)
	case !unwanted:
		f.n.keep(f.entry)
	}
	f.obj.Close()
}

// peerName tells peers apart by key and address together: a key alone is a claim.
type peerName struct {
	id   transport.PeerID
	addr netip.AddrPort
}

func nameOfPeer(p transport.Peer) peerName { return peerName{p.ID, p.Addr} }

// peerLabel names a peer to people: the start of its key and its address.
func peerLabel(p transport.Peer) string {
	if p.ID.IsZero() {
		return p.Addr.String()
	}
	return p.ID.Short() + "@" + p.Addr.String()
}
