package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"nt/tracker"
)

// Error is a tracker's refusal.
type Error struct {
	Tracker string
	Status  int
	Message string
	Hint    string
	retry   time.Duration
}

// Error returns what the tracker said, quoted: it is a stranger's text.
func (e *Error) Error() string {
	return fmt.Sprintf("tracker %s answered %d: %q", e.Tracker, e.Status, e.Message)
}

func (e *Error) mayRetry() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.retry(ctx, func(ctx context.Context) error { return c.do(ctx, http.MethodGet, path, nil, false, out) })
}

// post sends what body returns; body is called for every try, so that a signed
// message carries the time at which it is sent. All messages are idempotent.
func (c *Client) post(ctx context.Context, path string, body func() any, signed bool, out any) error {
	return c.retry(ctx, func(ctx context.Context) error {
		b, err := json.Marshal(body())
		if err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
		return c.do(ctx, http.MethodPost, path, b, signed, out)
	})
}

// retry calls try again with growing pauses while that can help and ctx lasts.
func (c *Client) retry(ctx context.Context, try func(context.Context) error) error {
	pause := 200 * time.Millisecond
	for n := 1; ; n++ {
		err := c.once(ctx, try)
		var refused *Error
		var broken *shapeError
		switch {
		case err == nil || n >= c.cfg.Tries || ctx.Err() != nil || errors.As(err, &broken):
			return err
		case errors.As(err, &refused):
			if !refused.mayRetry() {
				return err
			}
			pause = max(pause, min(refused.retry, 5*time.Second))
		}
		wait := pause/2 + rand.N(pause)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
		pause *= 2
	}
}

func (c *Client) once(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	return try(ctx)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, signed bool, out any) error {
	u := *c.base
	u.User = nil
	u.Path = path
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking tracker %s: %w", c.Name(), err)
	}
	req.Header.Set("User-Agent", "nt")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := c.base.User.Username(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if signed {
		req.Header.Set(tracker.SignatureHeader, tracker.Sign(c.cfg.Key, method, path, body))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking tracker %s: %w", c.Name(), errors.Unwrap(err)) // without url.Error, which repeats the URL
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxResponseBytes+1))
	if err != nil {
		return fmt.Errorf("reading the answer of tracker %s: %w", c.Name(), err)
	}
	if len(answer) > MaxResponseBytes {
		return &shapeError{c.Name(), fmt.Errorf("over %d bytes", MaxResponseBytes)}
	}
	if resp.StatusCode != http.StatusOK {
		return c.refusal(resp, answer)
	}
	if err := tracker.Decode(answer, out); err != nil {
		return &shapeError{c.Name(), err}
	}
	return nil
}

func (c *Client) refusal(resp *http.Response, answer []byte) error {
	e := &Error{Tracker: c.Name(), Status: resp.StatusCode}
	var said tracker.ErrorResponse
	if len(answer) <= tracker.MaxSmallBytes && tracker.Decode(answer, &said) == nil {
		e.Message, e.Hint = said.Error, said.Hint
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s < 3600 {
		e.retry = time.Duration(s) * time.Second
	}
	return e
}

// shapeError is an answer that is not one of API v1: asking again is useless.
type shapeError struct {
	tracker string
	err     error
}

func (e *shapeError) Error() string {
	return fmt.Sprintf("the answer of tracker %s is not one of API v1: %v", e.tracker, e.err)
}

func (e *shapeError) Unwrap() error { return e.err }
