package redis

import (
	"sync"
	"time"

	"nt/internal/resource"
	"nt/tracker"
)

const (
	hotFor  = time.Second
	hotMost = 4096 // samples remembered
)

// hotCache remembers what other nodes said of a key, for a moment.
type hotCache struct {
	mu sync.Mutex
	at map[hotKey]hotSample
}

type hotKey struct {
	key resource.Key
	n   int
}

type hotSample struct {
	until time.Time
	swarm tracker.Swarm
}

func (h *hotCache) get(now time.Time, key resource.Key, n int) (tracker.Swarm, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.at[hotKey{key, n}]
	return s.swarm, ok && now.Before(s.until) && !now.Before(s.until.Add(-hotFor))
}

func (h *hotCache) put(now time.Time, key resource.Key, n int, sw tracker.Swarm) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil || len(h.at) >= hotMost {
		h.at = make(map[hotKey]hotSample)
	}
	h.at[hotKey{key, n}] = hotSample{now.Add(hotFor), sw}
}
