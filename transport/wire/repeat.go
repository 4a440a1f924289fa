package wire

import (
	"context"
	"time"
)

// repeat sends until an answer comes: at once, and again after each backOff. It gives up
// with ErrClosed when over is closed, and with ErrNoAnswer after maxTries.
func repeat[T any](ctx context.Context, usual time.Duration, over <-chan struct{}, answer <-chan T, send func(try int) error) (got T, err error) {
	for try := range maxTries {
		if err := send(try); err != nil {
			return got, err
		}
		timer := time.NewTimer(backOff(try, usual))
		defer timer.Stop()
		select {
		case got = <-answer:
			return got, nil
		case <-over:
			return got, ErrClosed
		case <-ctx.Done():
			return got, ctx.Err()
		case <-timer.C:
		}
	}
	return got, ErrNoAnswer
}
