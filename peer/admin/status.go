package admin

import (
	"context"
	"time"
)

// Source is where the figures come from.
type Source interface {
	// Status returns the figures of now. It must not block for long.
	Status(ctx context.Context) (Status, error)
}

// Status is how a peer is doing. Sizes are bytes.
type Status struct {
	Version       string           `json:"version"`
	Started       time.Time        `json:"started"`
	UptimeSeconds int64            `json:"uptime_seconds"` // filled by the Server
	Cache         Cache            `json:"cache"`
	Announced     int              `json:"announced"` // resources the trackers know us to have
	Transports    []string         `json:"transports"`
	Neighbours    []Neighbour      `json:"neighbours"`
	BytesBySource map[string]int64 `json:"bytes_by_source"` // origin, cache, peers
	UploadedBytes int64            `json:"uploaded_bytes"`
}

// Cache is how full the cache is.
type Cache struct {
	Bytes   int64 `json:"bytes"`
	Limit   int64 `json:"limit"` // 0 is unlimited
	Objects int   `json:"objects"`
}

// Neighbour is a peer this one exchanges content with.
type Neighbour struct {
	ID            string `json:"id"`
	Addr          string `json:"addr"`
	Transport     string `json:"transport"`
	ReceivedBytes int64  `json:"received_bytes"`
	SentBytes     int64  `json:"sent_bytes"`
}

// filled completes s: no null lists in the JSON, the uptime, a bounded list.
func (s Status) filled(now time.Time) Status {
	if !s.Started.IsZero() {
		s.UptimeSeconds = max(0, int64(now.Sub(s.Started)/time.Second))
	}
	if s.Transports == nil {
		s.Transports = []string{}
	}
	if s.Neighbours == nil {
		s.Neighbours = []Neighbour{}
	}
	if s.BytesBySource == nil {
		s.BytesBySource = map[string]int64{}
	}
	s.Neighbours = s.Neighbours[:min(len(s.Neighbours), maxNeighbours)]
	return s
}
