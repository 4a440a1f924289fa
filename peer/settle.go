package peer

import (
	"context"
	"fmt"
	"time"

	"nt/internal/resource"
)

const (
	// settlePatience is how long a reader without a deadline is kept waiting for holders to come
	// back to a locator that has restarted.
	settlePatience = 10 * time.Second
	// settleSpare is left of a reader's time to fetch in.
	settleSpare = time.Second
	// The locator is asked again after the first of these, and after longer and longer up to the second.
	settleFirst, settleLongest = 250 * time.Millisecond, 5 * time.Second
)

// lookupSettled asks the locator, and asks again while it knows of nobody and says that it has restarted: the
// holders announce again within an interval.
func (n *Node) lookupSettled(ctx context.Context, key resource.Key) (Found, error) {
	end := n.cfg.Now().Add(settlePatience)
	if deadline, ok := ctx.Deadline(); ok {
		end = deadline.Add(-settleSpare)
	}
	for wait := settleFirst; ; wait = min(wait*3/2, settleLongest) {
		known, err := n.lookup(ctx, key)
		if err != nil || len(known.Holders) > 0 || known.Settling <= 0 {
			return known, err
		}
		left := end.Sub(n.cfg.Now())
		if left < settleFirst {
			return known, nil
		}
		pause := min(time.Duration((0.5+n.cfg.Rand())*float64(wait)), known.Settling, left) // once more at the very end
		n.cfg.Log.Debug("the locator has restarted and is asked again", "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return known, nil
		}
	}
}

// nobodyYet says that nobody has it, and whether that may be for want of time.
func nobodyYet(known Found) error {
	if known.Settling <= 0 {
		return errNoHolder
	}
	return fmt.Errorf("%w yet: a tracker has restarted, and the last of its peers come back within %v", errNoHolder, known.Settling)
}
