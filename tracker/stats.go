package tracker

import (
	"errors"
	"sync/atomic"
	"time"
)

// Stats is the answer of GET /v1/stats.
type Stats struct {
	StoreStats
	Announces int64            `json:"announces"` // messages
	Items     int64            `json:"items"`     // announcements taken
	Lookups   int64            `json:"lookups"`   // messages, by UDP or HTTP
	KeysAsked int64            `json:"keys_looked_up"`
	Joins     int64            `json:"joins"` // lookups by UDP
	Reports   int64            `json:"reports"`
	Leaves    int64            `json:"leaves"`
	Probes    int64            `json:"probes"`        // announced endpoints asked whether they answer
	Silent    int64            `json:"probes_silent"` // of them without an answer
	Refused   map[Reason]int64 `json:"refused"`
	Notary    map[string]int64 `json:"notary,omitempty"`
	Uptime    int64            `json:"uptime"` // seconds
}

type counters struct {
	announces, items, lookups, joins, keys, reports, leaves, probes, silent atomic.Int64

	refused map[Reason]*atomic.Int64 // fixed after newCounters
}

func newCounters() *counters {
	c := &counters{refused: make(map[Reason]*atomic.Int64)}
	for _, r := range reasons() {
		c.refused[r] = new(atomic.Int64)
	}
	return c
}

// refused counts err if it is a refusal and returns it.
func (t *Tracker) refused(err error) error {
	var r *RefusedError
	if errors.As(err, &r) {
		if n := t.count.refused[r.Reason]; n != nil {
			n.Add(1)
		}
	}
	return err
}

// Stats returns counters and gauges; started is when the tracker began.
func (t *Tracker) Stats(now, started time.Time) Stats {
	s := Stats{
		StoreStats: t.cfg.Store.Stats(now),
		Announces:  t.count.announces.Load(), Items: t.count.items.Load(), Lookups: t.count.lookups.Load(),
		KeysAsked: t.count.keys.Load(), Reports: t.count.reports.Load(), Leaves: t.count.leaves.Load(), Joins: t.count.joins.Load(),
		Probes: t.count.probes.Load(), Silent: t.count.silent.Load(),
		Refused: make(map[Reason]int64), Uptime: seconds(now.Sub(started)),
	}
	for r, n := range t.count.refused {
		if v := n.Load(); v > 0 {
			s.Refused[r] = v
		}
	}
	if t.cfg.Notary != nil {
		s.Notary = t.cfg.Notary.Counters()
	}
	return s
}
