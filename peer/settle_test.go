package peer

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nt/internal/resource"
)

// settlingLocator names a holder only after so long, and says meanwhile that it is settling.
type settlingLocator struct {
	fakeLocator
	settled, back time.Time
	asked         int
}

func (l *settlingLocator) Lookup(context.Context, resource.Key) (f Found, err error) {
	l.asked++
	now := time.Now()
	f.Settling = max(0, l.settled.Sub(now))
	if !now.Before(l.back) {
		f.Holders = []Holder{{}}
	}
	return f, nil
}

// TestRow14_ARestartedLocatorIsAskedAgain: for as long as the reader has time and the locator is settling, and
// no longer; a locator that has forgotten nobody is asked once.
func TestRow14_ARestartedLocatorIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		settles, back time.Duration
		deadline      time.Duration // of the reader; 0: none
		found         bool
		least, most   time.Duration
		asked         int // at most
	}{
		"nobody was forgotten":       {0, time.Hour, 0, false, 0, 0, 1},
		"the holder is there":        {time.Hour, 0, 0, true, 0, 0, 1},
		"it comes back":              {time.Hour, 4 * time.Second, 0, true, 4 * time.Second, 8 * time.Second, 12},
		"it comes back too late":     {time.Hour, time.Minute, 0, false, 5 * time.Second, 10 * time.Second, 15},
		"the reader has time":        {time.Hour, time.Minute, 2 * time.Minute, true, time.Minute, 68 * time.Second, 30},
		"the reader has no time":     {time.Hour, time.Minute, 900 * time.Millisecond, false, 0, 0, 1},
		"settled, and nobody came":   {3 * time.Second, time.Hour, time.Hour, false, 3 * time.Second, 6 * time.Second, 15},
		"the reader's time runs out": {time.Hour, time.Hour, 20 * time.Second, false, 13 * time.Second, 19 * time.Second, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				l := &settlingLocator{settled: began.Add(c.settles), back: began.Add(c.back)}
				n := &Node{cfg: Config{Locator: l, Now: time.Now, Rand: rand.Float64, Log: slog.New(slog.DiscardHandler)}}
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				known, err := n.lookupSettled(ctx, resource.Key{})
				took := time.Since(began)
				if err != nil || len(known.Holders) > 0 != c.found || took < c.least || took > c.most || l.asked > c.asked {
					t.Errorf("found %v after %v and %d questions; %v", len(known.Holders) > 0, took, l.asked, err)
				}
				if none := nobodyYet(known); !errors.Is(none, errNoHolder) || strings.Contains(none.Error(), "restarted") != (known.Settling > 0) {
					t.Errorf("said %q", none)
				}
			})
		})
	}
}

func TestALookupThatIsBrokenOffEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &settlingLocator{settled: time.Now().Add(time.Hour), back: time.Now().Add(time.Hour)}
		n := &Node{cfg: Config{Locator: l, Now: time.Now, Rand: rand.Float64, Log: slog.New(slog.DiscardHandler)}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		n.lookupSettled(ctx, resource.Key{})
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
