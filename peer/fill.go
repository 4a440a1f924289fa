package peer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"

	"nt/chunker"
	"nt/chunker/store"
)

const (
	// fillBlock is how much of a body is read at a time, in bytes.
	fillBlock = 32 << 10
	// fillAhead is how far a fill may run ahead of its fastest reader, in bytes: a
	// reader that pauses a film pauses the origin too.
	fillAhead = 1 << 20
	// A fill that all readers left goes on if this little is missing.
	finishBytes   = 16 << 10
	finishPercent = 95
)

// errAbandoned ends a fill that nobody reads any more.
var errAbandoned = errors.New("every reader left")

// worthFinishing reports whether a body of which got bytes are here is finished
// although nobody reads it any more. size is -1 if it is not known.
func worthFinishing(got, size int64) bool {
	return size >= 0 && (size-got <= finishBytes || got > size/100*finishPercent)
}

// fill is one body on its way in: one goroutine feeds it, any number of readers
// follow. What has come lies in the spool; once the spool takes no more (full
// disk), or if there is none, in tail, a window of one block that moves on when
// every reader has read it. So memory is bounded and a disk that fails
// costs the copy, not the reader.
type fill struct {
	size    int64 // Content-Length, -1 if not known
	trailer http.Header
	abandon context.CancelCauseFunc // ends the feeding

	mu      sync.Mutex
	wake    chan struct{} // closed and replaced at every change
	spool   store.Spool   // nil: none
	broken  bool          // the spool takes no more
	spooled int64         // bytes in the spool
	tail    []byte        // the bytes before avail, once broken
	avail   int64         // bytes that have come
	sum     hash.Hash     // over them
	err     error         // io.EOF when whole; set once
	readers map[*fillReader]struct{}
	lives   []*Live // of all readers that ever were
	// From where what comes: the last segment goes on for ever. None: all from the origin.
	segments []segment
}

// segment says from where a body comes, from an offset in it on.
type segment struct {
	at     int64
	source Source
	// split returns how many of the n bytes from off on came from the origin after all.
	split func(off, n int64) int64
}

func newFill(size int64, spool store.Spool, abandon context.CancelCauseFunc) *fill {
	return &fill{size: size, spool: spool, broken: spool == nil, abandon: abandon,
		wake: make(chan struct{}), sum: sha256.New(), readers: make(map[*fillReader]struct{})}
}

// changed wakes everybody who waits; mu is held.
func (f *fill) changed() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// put takes the next block, which it does not keep, and waits until the readers
// have made room for more.
func (f *fill) put(ctx context.Context, b []byte) error {
	f.mu.Lock()
	f.sum.Write(b)
	spool := f.spool
	if f.broken {
		spool = nil
	}
	f.mu.Unlock()
	var spoolErr error
	if spool != nil {
		_, spoolErr = spool.Write(b)
	}
	f.mu.Lock()
	switch {
	case spool != nil && spoolErr == nil:
		f.spooled += int64(len(b))
	default:
		f.broken = true
		f.tail = append(f.tail[:0], b...)
	}
	f.avail += int64(len(b))
	f.changed()
	f.mu.Unlock()
	return f.pace(ctx)
}

// pace waits while there is no room.
func (f *fill) pace(ctx context.Context) error {
	for {
		f.mu.Lock()
		room, wake := f.room(), f.wake
		f.mu.Unlock()
		if room {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// room reports whether another block may come; mu is held.
func (f *fill) room() bool {
	if len(f.readers) == 0 {
		return true // abandoned, or finishing
	}
	slowest, fastest := f.avail, int64(0)
	for r := range f.readers {
		slowest, fastest = min(slowest, r.off), max(fastest, r.off)
	}
	if f.broken {
		return slowest == f.avail
	}
	return f.avail-fastest < fillAhead
}

// finish ends the body; io.EOF means that it is whole.
func (f *fill) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		f.changed()
	}
}

// switchTo notes that what comes from now on is from s.
func (f *fill) switchTo(s Source, split func(off, n int64) int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.segments = append(f.segments, segment{f.avail, s, split})
	for _, l := range f.lives {
		l.update(func(p *Progress) { p.Continued = p.Continued || s != SourceOrigin })
	}
}

// count adds the n bytes from off on, which were handed to a reader, to its figures; mu is held.
func (f *fill) count(live *Live, off, n int64) {
	for n > 0 {
		now := segment{source: SourceOrigin}
		end := off + n
		for _, s := range f.segments {
			if s.at <= off {
				now = s
			} else {
				end = min(end, s.at)
			}
		}
		step := end - off
		origin := int64(0)
		if now.split != nil {
			origin = now.split(off, step)
		}
		live.add(SourceOrigin, int(origin))
		live.add(now.source, int(step-origin))
		off, n = end, n-step
	}
}

// stored tells every reader the name of what it read.
func (f *fill) stored(id chunker.ObjectID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.lives {
		l.update(func(p *Progress) { p.Object = id })
	}
}

// drained waits until nobody needs the spool's bytes any more.
func (f *fill) drained(ctx context.Context) {
	for {
		f.mu.Lock()
		left, wake := len(f.readers), f.wake
		f.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

// state returns how much has come and its hash.
func (f *fill) state() (avail int64, sum [sha256.Size]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sum.Sum(sum[:0])
	return f.avail, sum
}

// whole returns the spool if it holds the complete body.
func (f *fill) whole() store.Spool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		return nil
	}
	return f.spool
}

// follow adds a reader from the start. It fails when the start is gone.
func (f *fill) follow(ctx context.Context, live *Live) (*fillReader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.avail > f.spooled && f.broken || f.err != nil && f.err != io.EOF {
		return nil, errors.New("the body has gone by")
	}
	r := &fillReader{f: f, ctx: ctx, live: live}
	if f.spool != nil { // now, because it outlives the spool
		var err error
		if r.follow, err = f.spool.Follow(ctx, 0); err != nil {
			return nil, fmt.Errorf("following the body: %w", err)
		}
	}
	f.readers[r] = struct{}{}
	f.lives = append(f.lives, live)
	return r, nil
}

// unread ends a fill without readers that is not nearly done; mu is held.
func (f *fill) unread() {
	if len(f.readers) == 0 && f.err == nil && !worthFinishing(f.avail, f.size) {
		f.abandon(errAbandoned)
	}
}

// giveUpUnread ends a fill that nobody could follow from the start.
func (f *fill) giveUpUnread() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unread()
}
