package kcp

import "sync"

// inbox is packets on their way from the socket's goroutine to KCP's, in order. Packets
// come in trains, so that the reader takes all that wait at a time: one lock, and at most one
// goroutine to wake, for as many as the socket read at once.
type inbox struct {
	limit int           // packets that may wait, besides those taken
	some  chan struct{} // holds a value when packets may wait

	mu      sync.Mutex
	waiting []*packet

	taken []*packet // the reader's, from next on
	next  int
}

func newInbox(limit int) *inbox { return &inbox{limit: limit, some: make(chan struct{}, 1)} }

// add queues a packet and reports whether there was room.
func (b *inbox) add(p *packet) bool {
	b.mu.Lock()
	n := len(b.waiting)
	if n >= b.limit {
		b.mu.Unlock()
		return false
	}
	b.waiting = append(b.waiting, p)
	b.mu.Unlock()
	if n == 0 {
		select {
		case b.some <- struct{}{}:
		default:
		}
	}
	return true
}

// pop returns the next packet, nil if none waits: then some tells when to come again.
func (b *inbox) pop() *packet {
	if b.next == len(b.taken) {
		b.mu.Lock()
		b.taken, b.waiting = b.waiting, b.taken[:0]
		b.mu.Unlock()
		if b.next = 0; len(b.taken) == 0 {
			return nil
		}
	}
	p := b.taken[b.next]
	b.taken[b.next] = nil
	b.next++
	return p
}

// empty reports whether pop would find nothing. The reader's, like pop.
func (b *inbox) empty() bool {
	if b.next < len(b.taken) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0
}
