package bittorrent

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/anacrolix/torrent"

	"nt/transport"
)

// etags returns the hints that are known.
func (f *fetch) etags() (tags []string) {
	for _, r := range f.allRooms() {
		tags = append(tags, r.swarm.hint.infohash.etag())
	}
	return tags
}

// joinKnown lets the client connect to a peer in a swarm that is open.
func (f *fetch) joinKnown(l *link, ih infohash) bool {
	f.mu.Lock()
	r := f.rooms[ih]
	f.mu.Unlock()
	if r == nil {
		return false
	}
	l.joins(ih, time.Now().Add(dialSoon))
	r.swarm.torrent.AddPeers([]torrent.PeerInfo{{Addr: l, Source: torrent.PeerSourceDirect}})
	return true
}

// join lets the client connect to a peer in the swarm of its hint. When too many
// different hints came, one more is passed over until one of them has led nowhere.
func (f *fetch) join(l *link, nt *hint) error {
	if f.joinKnown(l, nt.infohash) {
		return nil
	}
	if !f.roomForOne() {
		return nil
	}
	r, err := f.openRoom(nt)
	if err != nil {
		return err
	}
	f.mu.Lock()
	if f.rooms[nt.infohash] == nil && len(f.rooms) < f.t.opts.MaxHintsPerFetch {
		f.rooms[nt.infohash] = r
	}
	taken := f.rooms[nt.infohash] == r
	f.mu.Unlock()
	if !taken {
		r.shut()
	} else if f.t.listener != nil {
		f.t.rooms.enter(r)
	}
	f.joinKnown(l, nt.infohash)
	f.allow()
	return nil
}

// roomForOne reports whether another swarm may be opened; one without peers goes for it.
func (f *fetch) roomForOne() bool {
	links := f.allLinks()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rooms) < f.t.opts.MaxHintsPerFetch {
		return true
	}
	for ih, r := range f.rooms {
		if !anyIn(links, ih) {
			delete(f.rooms, ih)
			f.visits.Go(func() { // not with the lock held: the client's callbacks take it
				f.t.rooms.leave(r)
				r.shut()
			})
			return true
		}
	}
	return false
}

func anyIn(links []*link, ih infohash) bool {
	for _, l := range links {
		if l.in(ih) {
			return true
		}
	}
	return false
}

// openRoom opens the swarm of a hint.
func (f *fetch) openRoom(nt *hint) (*room, error) {
	store := newSinkStore(f, nt.header)
	r := new(room)
	if f.t.env.Source != nil {
		if obj, err := f.t.env.Source.Open(nt.id); err == nil {
			r.content = &content{header: nt.header, obj: obj, broken: func(err error) {
				f.fail(fmt.Errorf("reading back %s: %w: %w", nt.id, transport.ErrNoProgress, err)) // the next transport goes on
			}}
			store.reads = r.content.give
		}
	}
	r.join = func(c net.Conn, leave func()) *conn { return f.incoming(c, leave, r.content) }
	dial := func(ctx context.Context, addr string) (net.Conn, error) { return f.dial(ctx, addr, r.content) }
	var err error
	r.swarm, err = openSwarm(swarmConfig{
		opts: f.t.opts, hint: nt, store: store, upload: f.t.upload, noUpload: store.reads == nil, dial: dial,
		callbacks: torrent.Callbacks{
			ReceivedUsefulData: []func(torrent.ReceivedUsefulDataEvent){store.received},
			SentRequest:        []func(torrent.PeerRequestEvent){func(e torrent.PeerRequestEvent) { owe(e.Peer, 1) }},
			DeletedRequest:     []func(torrent.PeerRequestEvent){func(e torrent.PeerRequestEvent) { owe(e.Peer, -1) }},
		},
	})
	if err != nil && r.content != nil {
		r.content.close()
	}
	f.t.log.Debug("joined a swarm", "object", nt.id, "infohash", nt.infohash, "err", err)
	return r, err
}

// owe counts the blocks that a peer was asked for.
func owe(p *torrent.Peer, n int64) {
	if l, ok := p.RemoteAddr.(*link); ok {
		l.owes.Add(n)
	}
}
