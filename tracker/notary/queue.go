package notary

import (
	"time"

	"nt/chunker"
	"nt/internal/resource"
)

// Limits of the queue.
const (
	maxQueued    = 1024
	maxPerOrigin = 96 // a page and its parts
	maxPerKey    = 4  // claims of different content waiting for one URL
	maxBusy      = 2  // looks at one origin at a time: one that hangs does not take all workers
	maxRecent    = 1 << 16
)

// job is one claim to look at.
type job struct {
	url   resource.URL
	claim resource.Statement
}

type claim struct {
	key    resource.Key
	object chunker.ObjectID
}

// queue holds claims per origin and paces them. It is pure: time is an argument.
type queue struct {
	pace  pace          // of the looks at one origin
	again time.Duration // how long the same claim is not looked at again

	waiting map[string][]job     // by origin, first come first served
	paid    map[string]time.Time // by origin, see pace
	busy    map[string]int       // looks that run, by origin
	recent  map[claim]time.Time  // until when a claim is not looked at again
	older   map[claim]time.Time  // the generation before, so that forgetting is bounded work
	size    int
}

func newQueue(p pace, again time.Duration) *queue {
	return &queue{
		pace: p, again: again, waiting: make(map[string][]job), paid: make(map[string]time.Time), busy: make(map[string]int),
		recent: make(map[claim]time.Time), older: make(map[claim]time.Time),
	}
}

// push takes a job, or returns which counter says why not.
func (q *queue) push(now time.Time, j job) (counter string) {
	c := claim{j.claim.Key, j.claim.Object}
	if now.Before(q.recent[c]) || now.Before(q.older[c]) {
		return "known"
	}
	origin := j.url.Origin()
	sameKey := 0
	for _, w := range q.waiting[origin] {
		if w.claim.Key == j.claim.Key {
			sameKey++
		}
	}
	if q.size >= maxQueued || len(q.waiting[origin]) >= maxPerOrigin || sameKey >= maxPerKey {
		return "dropped"
	}
	q.remember(c, now.Add(q.again))
	q.waiting[origin] = append(q.waiting[origin], j)
	q.size++
	return "queued"
}

// remember notes a claim until then. Two generations bound memory and work.
func (q *queue) remember(c claim, until time.Time) {
	if len(q.recent) >= maxRecent {
		q.older, q.recent = q.recent, make(map[claim]time.Time)
	}
	q.recent[c] = until
}

// forget lets a claim be looked at again: looking failed for a reason that may pass.
func (q *queue) forget(j job) {
	c := claim{j.claim.Key, j.claim.Object}
	delete(q.recent, c)
	delete(q.older, c)
}

// pop returns the job that may be done now, or for how long to wait for one; a
// wait of 0 means that nothing is waiting but for what runs. done must be called when it is.
func (q *queue) pop(now time.Time) (j job, wait time.Duration, ok bool) {
	for origin, jobs := range q.waiting {
		if q.busy[origin] >= maxBusy {
			continue
		}
		if d := q.pace.wait(now, q.paid[origin]); d > 0 {
			if wait == 0 || d < wait {
				wait = d
			}
			continue
		}
		if len(jobs) == 1 {
			delete(q.waiting, origin)
		} else {
			q.waiting[origin] = jobs[1:]
		}
		q.size--
		q.busy[origin]++
		q.pay(now, origin, jobs[0].claim.Size)
		return jobs[0], 0, true
	}
	return job{}, wait, false
}

// done says that a job that pop returned has ended.
func (q *queue) done(j job) {
	origin := j.url.Origin()
	if q.busy[origin]--; q.busy[origin] <= 0 {
		delete(q.busy, origin)
	}
}

// pay notes that the origin is asked now, and forgets those that owe nothing whenever there
// are many.
func (q *queue) pay(now time.Time, origin string, size int64) {
	if len(q.paid) >= 2*maxQueued {
		for o, at := range q.paid {
			if !now.Before(at) {
				delete(q.paid, o)
			}
		}
	}
	q.paid[origin] = q.pace.take(now, q.paid[origin], costOf(size))
}
