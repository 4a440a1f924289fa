package bittorrent

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nt/transport"
)

// maxStrikes is how often a peer may stall before a Fetch leaves it alone.
const maxStrikes = 2

var (
	errHungUp  = errors.New("it closed the connection")
	errStalled = errors.New("stalled in the middle of blocks")
)

// link is one peer in one Fetch. The BitTorrent client knows it as the peer's
// address, and so tells us who sent what.
type link struct {
	peer  transport.Peer
	guest bool // it came by itself

	owes atomic.Int64 // blocks asked for and not come

	mu      sync.Mutex
	conns   map[*conn]bool // open ones
	dialled int            // dials under way
	visited bool           // a visit is under way
	expect  time.Time      // until then the client may begin to dial
	bad     bool           // never again
	strikes int
	silent  int       // 1 + the chunks there were when it let us wait for its hint in vain; 0: it did not
	reason  error     // why we close its connections; nil: it did
	swarm   infohash  // which one it says it is in
	content int64     // bytes of blocks that came
	gone    int64     // bytes on connections that have ended
	told    int64     // bytes of overhead that were told of
	seen    int64     // bytes at the start of the window
	window  time.Time // when it started
}

// String, Network and AddrPort make a link an address.
func (l *link) String() string           { return l.peer.Addr.String() }
func (l *link) Network() string          { return "tcp" }
func (l *link) AddrPort() netip.AddrPort { return l.peer.Addr }

// alive reports whether anything may still come of the peer without asking again.
func (l *link) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) > 0 || l.dialled > 0 || l.visited || time.Now().Before(l.expect)
}

// usable reports whether the peer may be dialled.
func (l *link) usable() bool { return !l.bad && l.strikes < maxStrikes }

// toVisit reports whether the peer should be asked for its hint, and notes that
// it is being asked. even says to do so although it is connected. chunks is how many are there: who
// let us wait in vain is asked again only when some have come since.
func (l *link) toVisit(even bool, chunks int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.usable() || l.visited || l.dialled > 0 || l.silent == chunks+1 || len(l.conns) > 0 && !even {
		return false
	}
	l.visited = true
	return true
}

// inVain notes that a visit brought no answer at all.
func (l *link) inVain(chunks int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = chunks + 1
}

// visitEnded undoes toVisit.
func (l *link) visitEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visited = false
}

// joins notes in which swarm the peer is and that the client will dial it.
func (l *link) joins(ih infohash, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.swarm, l.expect = ih, until
}

// in reports whether the peer is in the swarm, as far as we hope for it.
func (l *link) in(ih infohash) bool {
	l.mu.Lock()
	same := l.swarm == ih
	l.mu.Unlock()
	return same && l.alive()
}

// dials notes a dial that begins, unless the peer is not wanted any more.
func (l *link) dials() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.usable() {
		return false
	}
	l.expect = time.Time{}
	l.dialled++
	return true
}

// dialEnded undoes dials.
func (l *link) dialEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialled--
}

// opened enters a connection. It reports false when the peer is not wanted any more.
func (l *link) opened(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.usable() {
		return false
	}
	if l.conns == nil {
		l.conns = make(map[*conn]bool)
	}
	if len(l.conns) == 0 {
		l.window, l.seen = time.Now(), l.wire()
	}
	l.conns[c] = true
	return true
}

// closed takes a connection out. It returns why it ended, if it was the last one.
func (l *link) closed(c *conn) (why error, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.conns[c] {
		return nil, false
	}
	delete(l.conns, c)
	l.gone += c.in.Load() + c.out.Load()
	why, l.reason = l.reason, nil
	if why == nil {
		why = errHungUp
	}
	return why, len(l.conns) == 0 && !l.bad
}

// cut closes the peer's connections.
func (l *link) cut(why error) {
	l.mu.Lock()
	l.reason = why
	var open []*conn
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// condemn marks the peer as bad and reports whether it was not so before.
func (l *link) condemn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.bad
	l.bad = true
	return !was
}

// wire returns the bytes that went over its connections. The lock is held.
func (l *link) wire() int64 {
	n := l.gone
	for c := range l.conns {
		n += c.in.Load() + c.out.Load()
	}
	return n
}

// overhead returns the bytes other than blocks that were not told of yet.
func (l *link) overhead() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.wire() - l.content - l.told
	if n <= 0 {
		return 0
	}
	l.told += n
	return n
}

// got accounts a block.
func (l *link) got(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.content += int64(n)
}

// stalled judges a window of time that has passed: the peer owes us blocks and
// has sent less than least bytes, while we were not waiting for our own limit.
func (l *link) stalled(now time.Time, window time.Duration, least int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) == 0 || now.Sub(l.window) < window {
		return false
	}
	came := l.wire() - l.seen
	l.window, l.seen = now, l.wire()
	for c := range l.conns {
		if c.pacing.Load() {
			return false
		}
	}
	if l.owes.Load() <= 0 || came >= max(least, 1) {
		return false
	}
	l.strikes++
	return true
}
