package lab

import (
	"fmt"
	"sync"

	"nt/internal/simnet"
	"nt/plugins/roulette"
	"nt/plugins/roulette/sim"
)

// Trace adds up what the readers of a run over real nodes do by their age: messages as the
// cores see them, datagrams as the emulated hosts do. The datagrams' bytes that are not
// messages are the wire's. A nil Trace does nothing.
type Trace struct {
	mu      sync.Mutex
	world   *World
	ages    sim.Ages
	readers map[*simnet.Host]*traced

	packets, small int64 // datagrams that readers received, and those of no more than smallDatagram
}

// smallDatagram is more than an acknowledgement takes and less than any message with content, in bytes.
const smallDatagram = 120

type traced struct {
	sim.Aged
	node *Node
}

func (t *Trace) begin(w *World) {
	if t != nil {
		t.world, t.readers = w, map[*simnet.Host]*traced{}
		t.ages.Up, t.ages.Down = float64(w.Case.UpKbps)*125, float64(w.Case.Kbps)*125
	}
}

// add makes a node one whose life is added up.
func (t *Trace) add(n *Node) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers[n.Host] = &traced{sim.Aged{Born: n.born}, n}
}

// end says that a node is done.
func (t *Trace) end(n *Node) {
	if t == nil {
		return
	}
	now := t.world.Net.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.readers[n.Host]; r != nil {
		t.ages.State(&r.Aged, now, roulette.Glance{})
		delete(t.readers, n.Host)
	}
}

// tap is for simnet.Config.
func (t *Trace) tap() func(*simnet.Host, bool, int, []byte) {
	if t == nil {
		return nil
	}
	return func(h *simnet.Host, out bool, size int, payload []byte) {
		t.mu.Lock()
		defer t.mu.Unlock()
		r := t.readers[h]
		switch now := t.world.Net.Now(); {
		case r == nil:
		case out:
			t.ages.Sent(&r.Aged, now, size)
		default:
			if t.packets++; size <= smallDatagram {
				t.small++
			}
			t.ages.Receive(&r.Aged, now, carrier(payload), size)
		}
	}
}

// carrier tells datagrams that open sessions from those of open ones (docs/wire.md).
func carrier(payload []byte) sim.Sort {
	if len(payload) > 0 && payload[0] >= 0xc1 && payload[0] <= 0xc4 {
		return sim.SortOpen
	}
	return sim.SortWire
}

// messages is for swarm.Options of a node.
func (t *Trace) messages(n *Node) func(*roulette.Core, roulette.Message, int, bool) {
	if t == nil {
		return nil
	}
	return func(c *roulette.Core, m roulette.Message, size int, heard bool) {
		now := t.world.Net.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		r := t.readers[n.Host]
		if r == nil {
			return
		}
		t.ages.State(&r.Aged, now, c.Glance())
		if !heard {
			return
		}
		took := func(s sim.Sort, n int) {
			t.ages.Receive(&r.Aged, now, s, n)
			t.ages.Receive(&r.Aged, now, under(m), -n)
		}
		if d, ok := m.(*roulette.Data); ok {
			s := sim.SortPayload
			if n.Copy.Have().Contains(d.Chunk) {
				s = sim.SortDuplicate
			}
			took(s, len(d.Payload))
			size -= len(d.Payload)
		}
		took(sim.SortOf(m), size)
	}
}

// under is what carried a message: the first of a session rides on the datagram that opens it.
func under(m roulette.Message) sim.Sort {
	switch m.(type) {
	case *roulette.Join, *roulette.Hello:
		return sim.SortOpen
	}
	return sim.SortWire
}

// String is the trace as a table (sim.Ages) and what datagrams there were.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ages.String() + t.datagrams()
}

func (t *Trace) datagrams() string {
	return fmt.Sprintf("%d datagrams reached readers, %.0f %% of them no longer than %d bytes\n", t.packets, 100*float64(t.small)/float64(max(1, t.packets)), smallDatagram)
}
