package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nt/tracker"
)

// batchBytes is how many bytes of items go into one message, leaving room for
// the rest of it below the tracker's limit.
const batchBytes = tracker.MaxAnnounceBytes - 4096

// Announced is a tracker's answer to announcements.
type Announced struct {
	TTL     time.Duration          // how long they hold: the shortest of all batches
	Refused map[int]tracker.Reason // index of the item -> why
}

// Announce says "I have these" (N10), in as many messages as needed. When one of
// them fails it returns the error with what the earlier ones were told.
func (c *Client) Announce(ctx context.Context, items []tracker.Item) (Announced, error) {
	out := Announced{Refused: map[int]tracker.Reason{}}
	id, err := c.id()
	if err != nil {
		return out, err
	}
	if c.cfg.Port == 0 {
		return out, errors.New("a node that serves nothing has nothing to announce")
	}
	for first := 0; first < len(items); {
		batch, err := nextBatch(items[first:])
		if err != nil {
			return out, fmt.Errorf("announcement %d: %w", first, err)
		}
		body := func() any {
			return struct {
				Peer  tracker.PeerInfo  `json:"peer"`
				Time  int64             `json:"time"`
				Items []json.RawMessage `json:"items"`
			}{tracker.PeerInfo{ID: id, Port: c.cfg.Port, Transports: c.cfg.Transports}, c.cfg.Now().Unix(), batch}
		}
		var resp tracker.AnnounceResponse
		if err := c.post(ctx, "/v1/announce", body, true, &resp); err != nil {
			return out, err
		}
		if err := out.add(first, len(batch), resp); err != nil {
			return out, &shapeError{c.Name(), err}
		}
		first += len(batch)
	}
	return out, nil
}

// nextBatch encodes as many items as fit into one message, at least one.
func nextBatch(items []tracker.Item) ([]json.RawMessage, error) {
	var batch []json.RawMessage
	size := 0
	for _, it := range items {
		b, err := json.Marshal(it)
		if err != nil {
			return nil, err
		}
		if len(batch) > 0 && (len(batch) == tracker.MaxItems || size+len(b) > batchBytes) {
			break
		}
		batch = append(batch, b)
		size += len(b) + 1
	}
	return batch, nil
}

func (a *Announced) add(first, n int, resp tracker.AnnounceResponse) error {
	if resp.TTL <= 0 || resp.TTL > 7*24*3600 {
		return fmt.Errorf("a TTL of %d s", resp.TTL)
	}
	if ttl := time.Duration(resp.TTL) * time.Second; a.TTL == 0 || ttl < a.TTL {
		a.TTL = ttl
	}
	for _, r := range resp.Refused {
		if r.Index < 0 || r.Index >= n || len(r.Reason) > 64 {
			return fmt.Errorf("item %d of %d is refused", r.Index, n)
		}
		a.Refused[first+r.Index] = r.Reason
	}
	return nil
}
