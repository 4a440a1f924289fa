package http

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// meter judges a peer's rate over windows of time spent waiting for it (row 42).
type meter struct {
	window  time.Duration
	minRate int64 // bytes per second

	waited time.Duration
	bytes  int64
}

// add accounts n bytes that took d to come. It returns an error at the end of a
// window that brought too little.
func (m *meter) add(n int, d time.Duration) error {
	m.waited += d
	m.bytes += int64(n)
	if m.waited < m.window {
		return nil
	}
	rate := float64(m.bytes) / m.waited.Seconds()
	m.waited, m.bytes = 0, 0
	if rate < float64(m.minRate) {
		return fmt.Errorf("it sends %.0f bytes per second, below %d", rate, m.minRate)
	}
	return nil
}

// meteredBody reads a reply within the stall timeout, the lowest rate and the
// fetch's own limit. Time spent waiting for that limit is not the peer's.
type meteredBody struct {
	ctx   context.Context
	body  io.Reader
	stall *time.Timer   // cancels ctx
	limit *rate.Limiter // nil: unlimited
	meter meter
}

func (b *meteredBody) Read(p []byte) (int, error) {
	if b.limit != nil {
		p = p[:min(len(p), b.limit.Burst())]
	}
	b.stall.Reset(b.meter.window)
	start := time.Now()
	n, err := b.body.Read(p)
	b.stall.Stop()
	if err != nil {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
		return n, err
	}
	if err := b.meter.add(n, time.Since(start)); err != nil {
		return n, err
	}
	return n, pace(b.ctx, b.limit, n)
}
