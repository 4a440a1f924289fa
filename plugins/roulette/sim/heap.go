package sim

import "time"

type eventKind uint8

const (
	evArrive  eventKind = iota + 1 // a datagram reaches the receiver's downlink
	evDeliver                      // it has come through
	evTimer                        // a core's deadline
	evBirth                        // a reader arrives
	evSample                       // the pool is looked at
	evKill                         // a reader vanishes
	evSay                          // a reader tells the locator that it is fetching
)

// event is one thing that will happen. Equal times happen in the order of seq.
type event struct {
	at       time.Duration
	seq      uint64
	kind     eventKind
	to, from int32
	buf      []byte
}

// eventHeap is a binary heap; container/heap would box every event.
type eventHeap struct {
	list []event
	seq  uint64
}

func (a *event) before(b *event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (h *eventHeap) push(e event) {
	h.seq++
	e.seq = h.seq
	h.list = append(h.list, e)
	l := h.list
	i := len(l) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !l[i].before(&l[up]) {
			break
		}
		l[i], l[up] = l[up], l[i]
		i = up
	}
}

func (h *eventHeap) pop() event {
	l := h.list
	top := l[0]
	n := len(l) - 1
	l[0] = l[n]
	l[n] = event{}
	h.list = l[:n]
	l = h.list
	for i := 0; ; {
		k := 2*i + 1
		if k >= n {
			break
		}
		if k+1 < n && l[k+1].before(&l[k]) {
			k++
		}
		if !l[k].before(&l[i]) {
			break
		}
		l[i], l[k] = l[k], l[i]
		i = k
	}
	return top
}
