package wire

import (
	"net/netip"
	"sync"
)

// outbox hands the packets of sessions to the socket. While the socket is busy with
// some, more gather, and those to one address leave in one system call: the kernel
// cuts them apart (UDP segmentation offload), or the network card does.
//
// A packet waits for nothing but the one goroutine that writes.
type outbox struct {
	write func(b *batch)

	mu     sync.Mutex
	more   sync.Cond // there is something to write, or the end
	room   sync.Cond // something was written
	queue  []*batch
	bytes  int
	free   []*batch
	closed bool
	done   chan struct{}
}

// batch is packets to one address, all of one length but for the last, which may be shorter.
type batch struct {
	to   netip.AddrPort
	size int // bytes of one packet
	n    int // packets
	buf  []byte
}

const (
	// maxBatch and maxBatchBytes bound one system call, as Linux does.
	maxBatch      = 64
	maxBatchBytes = 65_000
	// maxOutbox is how many bytes may wait before senders do.
	maxOutbox = 512 << 10
	// maxFree bounds the batches kept for use again.
	maxFree = 64
	// lookBack is how many batches are looked through for one to the same address.
	lookBack = 32
)

func newOutbox(write func(b *batch)) *outbox {
	o := &outbox{write: write, done: make(chan struct{})}
	o.more.L, o.room.L = &o.mu, &o.mu
	go o.run()
	return o
}

// add takes a copy of a packet. It waits while too much does.
func (o *outbox) add(p []byte, to netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.bytes > maxOutbox && !o.closed {
		o.room.Wait()
	}
	if o.closed {
		return
	}
	b := o.batchFor(p, to)
	b.buf = append(b.buf, p...)
	b.n++
	o.bytes += len(p)
	o.more.Signal()
}

// batchFor returns the batch that a packet may join: the newest one to its address, if
// that has room, or a new one.
func (o *outbox) batchFor(p []byte, to netip.AddrPort) *batch {
	for i := len(o.queue) - 1; i >= max(0, len(o.queue)-lookBack); i-- {
		if b := o.queue[i]; b.to == to {
			if b.n < maxBatch && len(p) <= b.size && len(b.buf) == b.n*b.size && len(b.buf)+len(p) <= maxBatchBytes {
				return b
			}
			break
		}
	}
	b := new(batch)
	if k := len(o.free) - 1; k >= 0 {
		b, o.free = o.free[k], o.free[:k]
	}
	*b = batch{to: to, size: len(p), buf: b.buf[:0]}
	o.queue = append(o.queue, b)
	return b
}

func (o *outbox) run() {
	defer close(o.done)
	var taken []*batch
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.closed {
			o.more.Wait()
		}
		taken, o.queue = o.queue, taken[:0]
		o.bytes = 0
		closed := o.closed
		o.room.Broadcast()
		o.mu.Unlock()
		for _, b := range taken {
			o.write(b)
		}
		o.recycle(taken)
		if closed && len(taken) == 0 {
			return
		}
	}
}

func (o *outbox) recycle(all []*batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range all {
		if len(o.free) < maxFree {
			o.free = append(o.free, b)
		}
	}
	clear(all)
}

// close writes what waits and ends.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.more.Broadcast()
	o.room.Broadcast()
	o.mu.Unlock()
	<-o.done
}
