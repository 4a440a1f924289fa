package bittorrent

import (
	"context"
	"io"
	"net"
	"time"
)

// handshakeHead is a handshake up to and including its infohash, in bytes (BEP 3):
// the prefix, 8 reserved bytes, the infohash.
const handshakeHead = len(handshakePrefix) + 8 + len(infohash{})

// accept takes BitTorrent connections until Close.
func (t *Transport) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return // the node's port is closed, or ours
		}
		leave, ok := t.gate.Enter(c.RemoteAddr().String())
		if !ok {
			c.Close()
			continue
		}
		t.work.Go(func() { t.receive(c, leave) })
	}
}

// receive reads which swarm is meant and hands the connection over. Nothing else
// is answered: a swarm nobody asked about here does not exist.
func (t *Transport) receive(c net.Conn, leave func()) {
	defer context.AfterFunc(t.ctx, func() { c.SetReadDeadline(time.Unix(1, 0)) })() // Close does not wait for a handshake
	head := make([]byte, handshakeHead)
	c.SetReadDeadline(time.Now().Add(t.opts.HandshakeTimeout)) // fails only for a connection that is gone
	_, err := io.ReadFull(c, head)
	var ih infohash
	copy(ih[:], head[handshakeHead-len(ih):])
	if err == nil && t.ctx.Err() == nil {
		if r, ok := t.roomFor(ih); ok {
			c.SetReadDeadline(time.Time{})
			joined := r.join(c, leave)
			joined.head = head
			r.swarm.feed.give(joined, t.opts.HandshakeTimeout)
			return
		}
	}
	c.Close()
	leave()
}

// roomFor returns the swarm of that name: a Fetch's, or one to be seeded.
func (t *Transport) roomFor(ih infohash) (*room, bool) {
	if r, ok := t.rooms.fetch(ih); ok {
		return r, true
	}
	nt, ok := t.hints.findSwarm(ih)
	if !ok || nt.header.Size == 0 {
		return nil, false
	}
	return t.rooms.seed(ih, func() (*room, error) { return t.openSeed(nt) })
}

// openSeed opens the swarm of an object that is held as a whole.
func (t *Transport) openSeed(nt *hint) (*room, error) {
	obj, err := t.env.Source.Open(nt.id)
	if err != nil {
		return nil, err
	}
	held := &content{header: nt.header, obj: obj}
	if !obj.Have().Full(uint32(nt.header.NumChunks())) {
		held.close()
		return nil, errNotWhole
	}
	s, err := openSwarm(swarmConfig{opts: t.opts, hint: nt, store: seedStore{held}, upload: t.upload})
	if err != nil {
		held.close()
		t.log.Warn("cannot seed", "object", nt.id, "err", err)
		return nil, err
	}
	r := &room{swarm: s, content: held}
	held.broken = func(err error) {
		t.log.Warn("cannot read an object that is seeded", "object", nt.id, "err", err)
		t.rooms.end(r)
	}
	r.join = func(c net.Conn, leave func()) *conn {
		return &conn{Conn: c, remote: c.RemoteAddr(), content: held, onEnd: func() {
			leave()
			t.rooms.seeOff(r, t.opts.IdleTimeout)
		}}
	}
	return r, nil
}
