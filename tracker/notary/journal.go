package notary

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"nt/internal/resource"
)

const (
	// maxChains bounds the resources of one log; when they are so many another log begins.
	maxChains = 1 << 15
	// reserve is how many seconds ahead of its statements a notary's ledger says that it may
	// have dated some: a process that is killed cannot write the last one down.
	reserve = 10
	// maxAhead is how many seconds ahead of the clock a statement may be dated.
	maxAhead = 300
)

// Ledger keeps, over restarts, until when a notary may have dated its statements, for one
// process at a time.
type Ledger interface {
	// Open waits until no other process has the ledger and returns that time, in Unix seconds.
	Open(ctx context.Context) (until int64, err error)
	// Reserve moves it; it is on disk when Reserve returns.
	Reserve(until int64) error
	// Close lets go of the ledger.
	Close() error
}

// journal gives the notary's statements their places (resource.Place), so that there is one
// account of what it said: per resource and encoding numbered, each with the digest of the one
// before, in the order of their times, two contents never in one second. Nothing of
// that outlives the process but a time that all its statements are before: the next
// log begins after it.
type journal struct {
	key    ed25519.PrivateKey
	ledger Ledger // nil keeps nothing

	mu       sync.Mutex
	until    int64 // what the ledger says
	log      int64 // when the log began; 0: not yet
	last     int64 // the latest time of a statement
	chains   map[chain]link
	reserved bool // until was written by this process
}

// chain is what is numbered by itself.
type chain struct {
	key      resource.Key
	encoding string
}

// link is the last statement of a chain.
type link struct {
	digest  resource.Digest
	content [sha256.Size]byte // of object and type
	at      int64
	seq     uint32
}

func contentOf(st resource.Statement) [sha256.Size]byte {
	return sha256.Sum256(append(st.Object[:], st.Header.Get("Content-Type")...))
}

// open waits for the ledger.
func (j *journal) open(ctx context.Context) error {
	if j.ledger == nil {
		return nil
	}
	until, err := j.ledger.Open(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last, j.until = until, until
	return err
}

// close writes down the latest time instead of the one that was reserved.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ledger == nil {
		return nil
	}
	var err error
	if j.reserved {
		err = j.ledger.Reserve(j.last)
	}
	if cerr := j.ledger.Close(); err == nil {
		err = cerr
	}
	return err
}

// sign places, dates and signs a statement. It fails when its time would be too far ahead of
// the clock, which was set back then, or cannot be reserved.
func (j *journal) sign(now time.Time, st resource.Statement) (resource.Statement, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := chain{st.Key, st.Encoding()}
	prev, follows := j.chains[at]
	if !follows && (j.log == 0 || len(j.chains) >= maxChains) {
		j.log, j.chains = max(now.Unix(), j.last+1), make(map[chain]link)
	}
	st.ObservedAt, st.Place = max(st.ObservedAt, j.log), resource.Place{Log: j.log, Seq: 1}
	if follows {
		st.Place = resource.Place{Log: j.log, Seq: prev.seq + 1, Prev: prev.digest}
		st.ObservedAt = max(st.ObservedAt, prev.at)
		if st.ObservedAt == prev.at && contentOf(st) != prev.content {
			st.ObservedAt++
		}
	}
	if ahead := st.ObservedAt - now.Unix(); ahead > maxAhead {
		return st, fmt.Errorf("%w: the clock is %d s behind what this notary has said before", errNotKept, ahead)
	}
	if err := j.reach(st.ObservedAt); err != nil {
		return st, fmt.Errorf("%w: %w", errNotKept, err)
	}
	j.last = max(j.last, st.ObservedAt)
	st = st.Sign(j.key)
	j.chains[at] = link{st.Digest(), contentOf(st), st.ObservedAt, st.Place.Seq}
	return st, nil
}

// reach reserves the time of a statement.
func (j *journal) reach(at int64) error {
	if j.ledger == nil || j.reserved && at <= j.until {
		return nil
	}
	if err := j.ledger.Reserve(at + reserve); err != nil {
		return fmt.Errorf("the ledger: %w", err)
	}
	j.until, j.reserved = at+reserve, true
	return nil
}
