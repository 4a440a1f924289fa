package bittorrent

import (
	"net"
	"sync"
	"time"

	"nt/chunker"
)

// shut closes the swarm, and lets the object go.
func (r *room) shut() {
	if r.content != nil {
		r.content.silent.Store(true)
		defer r.content.close()
	}
	r.swarm.close()
}

// rooms is who may be joined by an incoming connection: the swarms of running
// Fetches, and those of objects being seeded, which open on the first handshake
// and close when nobody has been there for a while.
type rooms struct {
	max int // seeds

	mu      sync.Mutex
	closed  bool
	fetches map[infohash]map[*room]bool
	seeds   map[infohash]*room
}

// room is one swarm that can be joined.
type room struct {
	swarm *swarm
	join  func(c net.Conn, leave func()) *conn // how the swarm sees a connection

	content *content // nil: nothing to read from

	// of a seed:
	guests int
	idle   *time.Timer
}

// enter lists a Fetch's swarm.
func (rs *rooms) enter(r *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	ih := r.swarm.hint.infohash
	if rs.fetches == nil {
		rs.fetches = make(map[infohash]map[*room]bool)
	}
	if rs.fetches[ih] == nil {
		rs.fetches[ih] = make(map[*room]bool)
	}
	rs.fetches[ih][r] = true
}

// leave takes it off the list.
func (rs *rooms) leave(r *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	ih := r.swarm.hint.infohash
	if delete(rs.fetches[ih], r); len(rs.fetches[ih]) == 0 {
		delete(rs.fetches, ih)
	}
}

// hintOf returns the hint by which an object is being fetched.
func (rs *rooms) hintOf(id chunker.ObjectID) (*hint, bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, list := range rs.fetches {
		for r := range list {
			if r.swarm.hint.id == id {
				return r.swarm.hint, true
			}
		}
	}
	return nil, false
}

// fetch returns the swarm of a Fetch.
func (rs *rooms) fetch(ih infohash) (*room, bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for r := range rs.fetches[ih] {
		return r, true
	}
	return nil, false
}

// seed returns the swarm of an object that is seeded, opened if need be, with
// one guest more; every guest must be seen off. It returns false when there is no
// room for another object.
func (rs *rooms) seed(ih infohash, open func() (*room, error)) (*room, bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return nil, false
	}
	r := rs.seeds[ih]
	if r == nil {
		if len(rs.seeds) >= rs.max && !rs.dropIdle() {
			return nil, false
		}
		var err error
		if r, err = open(); err != nil {
			return nil, false
		}
		if rs.seeds == nil {
			rs.seeds = make(map[infohash]*room)
		}
		rs.seeds[ih] = r
	}
	r.guests++
	if r.idle != nil {
		r.idle.Stop()
	}
	return r, true
}

// dropIdle closes a seed that has no guests.
func (rs *rooms) dropIdle() bool {
	for _, r := range rs.seeds {
		if r.guests == 0 {
			rs.drop(r)
			return true
		}
	}
	return false
}

// seeOff takes a guest away, and closes the swarm after a time without any.
func (rs *rooms) seeOff(r *room, idle time.Duration) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.guests--; r.guests > 0 || rs.closed {
		return
	}
	r.idle = time.AfterFunc(idle, func() {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		if r.guests == 0 && rs.seeds[r.swarm.hint.infohash] == r {
			rs.drop(r)
		}
	})
}

// drop closes a seed. Its connections end in goroutines of their own, so that it
// can be called with the lock held.
func (rs *rooms) drop(r *room) {
	if r.idle != nil {
		r.idle.Stop()
	}
	delete(rs.seeds, r.swarm.hint.infohash)
	r.shut()
}

// end closes a seed that can be read no more. It returns at once.
func (rs *rooms) end(r *room) {
	go func() { // the swarm is in the middle of a read
		rs.mu.Lock()
		defer rs.mu.Unlock()
		if rs.seeds[r.swarm.hint.infohash] == r {
			rs.drop(r)
		}
	}()
}

// close closes every seed; Fetches close their own swarms.
func (rs *rooms) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closed = true
	for _, r := range rs.seeds {
		rs.drop(r)
	}
}
