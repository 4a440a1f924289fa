package sim

import (
	"encoding/binary"
	"hash/fnv"

	"nt/plugins/roulette"
)

func (w *World) transmit(i int32, s roulette.Send) {
	h := w.hosts[i]
	to, ok := h.peers[s.To]
	if !ok {
		return
	}
	if d, isData := s.Msg.(*roulette.Data); isData {
		off := int(d.Chunk)*w.tree.Header().ChunkSize() + int(d.Block)*roulette.BlockSize
		d.Payload = w.object[off : off+d.Len]
	}
	for _, in := range introductions(s.Msg) {
		in.Token = make([]byte, roulette.MaxToken)
	}
	switch m := s.Msg.(type) {
	case *roulette.Join:
		m.Grant = make([]byte, roulette.GrantSize)
	case *roulette.Hello:
		m.Grant = make([]byte, roulette.GrantSize)
	}
	buf := roulette.Append(w.buffer(), s.Msg)
	if h.poison && s.Msg.Kind() == roulette.KindData {
		buf[len(buf)-1] ^= 1
	}
	w.carry(i, to, buf)
}

// carry brings buf from host i to another; nothing in it is the word of a wire that it closed a session.
func (w *World) carry(i, to int32, buf []byte) {
	h, n := w.hosts[i], len(buf)+w.cfg.Over
	at, ok := h.up.pass(w.now, n, w.cfg.Queue)
	if !ok {
		w.drops++
		w.free = append(w.free, buf)
		return
	}
	h.sent += int64(n)
	if w.traced(h) {
		w.cfg.Ages.Sent(&h.aged, w.now, n)
	}
	if w.cfg.Loss > 0 && w.rng.Float64() < w.cfg.Loss {
		w.free = append(w.free, buf)
		return
	}
	w.events.push(event{at: at + h.delay + w.hosts[to].delay, kind: evArrive, to: to, from: i, buf: buf})
}

func introductions(m roulette.Message) (out []*roulette.Introduction) {
	var list []roulette.Introduction
	switch m := m.(type) {
	case *roulette.Welcome:
		list = m.Peers
	case *roulette.Data:
		list = m.Peers
	case *roulette.Recommend:
		list = m.Peers
	}
	for i := range list {
		out = append(out, &list[i])
	}
	return out
}

func (w *World) buffer() []byte {
	if n := len(w.free); n > 0 {
		b := w.free[n-1]
		w.free = w.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, roulette.MaxMessage)
}

func (w *World) arrive(e event) {
	h := w.hosts[e.to]
	if h.gone {
		w.free = append(w.free, e.buf)
		return
	}
	at, ok := h.down.pass(w.now, len(e.buf)+w.cfg.Over, w.cfg.Queue)
	if !ok {
		w.drops++
		w.free = append(w.free, e.buf)
		return
	}
	e.at, e.kind = at, evDeliver
	w.events.push(e)
}

func (w *World) deliver(e event) {
	h := w.hosts[e.to]
	defer func() { w.free = append(w.free, e.buf) }()
	if h.gone {
		return
	}
	h.received += int64(len(e.buf) + w.cfg.Over)
	w.hash(e)
	if len(e.buf) == 0 {
		w.lost(e)
		return
	}
	m, err := roulette.Parse(e.buf)
	if err != nil {
		panic(err) // what a core wrote, a core must read
	}
	if w.traced(h) {
		w.note(h, m, len(e.buf))
	}
	w.kinds[m.Kind()] += int64(len(e.buf) + w.cfg.Over)
	w.counts[m.Kind()]++
	id, ok := h.ids[e.from]
	if !ok {
		if !opens(m) {
			return
		}
		if id, ok = h.core.Accept(w.now, peerOf(e.from)); !ok {
			return
		}
		h.ids[e.from], h.peers[id] = id, e.from
	}
	if d, isData := m.(*roulette.Data); isData && e.to != 0 {
		w.data += int64(d.Len)
		if e.from == 0 {
			w.bySeed += int64(d.Len)
		}
	}
	if h.free {
		if m = withoutWork(m); m == nil {
			return
		}
	}
	h.core.Receive(w.now, id, m)
	w.after(e.to)
}

// lost tells a core that a neighbour closed the session.
func (w *World) lost(e event) {
	h := w.hosts[e.to]
	id, ok := h.ids[e.from]
	if !ok {
		return
	}
	delete(h.ids, e.from) // nobody is told in return
	delete(h.peers, id)
	h.core.Lost(w.now, id)
	w.after(e.to)
}

// opens reports whether a message may open a session.
func opens(m roulette.Message) bool {
	switch m.(type) {
	case *roulette.Join, *roulette.Hello, *roulette.FirstHandshake, *roulette.Rescue:
		return true
	}
	return false
}

// withoutWork strips what would make a free rider serve.
func withoutWork(m roulette.Message) roulette.Message {
	switch m := m.(type) {
	case *roulette.Hello:
		m.Class, m.Classes = 0, 0
	case *roulette.Request:
		m.Asks = nil
	case *roulette.Data:
		m.Asks = nil
	case *roulette.SecondHandshake:
		return nil
	}
	return m
}

func (w *World) hash(e event) {
	f := fnv.New64a()
	var b [28]byte
	binary.LittleEndian.PutUint64(b[:], w.trace)
	binary.LittleEndian.PutUint64(b[8:], uint64(w.now))
	binary.LittleEndian.PutUint32(b[16:], uint32(e.from))
	binary.LittleEndian.PutUint32(b[20:], uint32(e.to))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(e.buf)))
	f.Write(b[:])
	w.trace = f.Sum64()
}

// traced reports whether h's life is added up: a reader that counts, until it is done.
func (w *World) traced(h *host) bool {
	return w.cfg.Ages != nil && h != w.hosts[0] && h.counts() && h.doneAt == 0
}

// note adds a message of n bytes to what h received.
func (w *World) note(h *host, m roulette.Message, n int) {
	a := w.cfg.Ages
	if d, ok := m.(*roulette.Data); ok {
		s := SortPayload
		if h.content.have.Contains(d.Chunk) {
			s = SortDuplicate
		}
		a.Receive(&h.aged, w.now, s, d.Len)
		n -= d.Len
	}
	a.Receive(&h.aged, w.now, SortOf(m), n)
	a.Receive(&h.aged, w.now, SortWire, w.cfg.Over)
}
