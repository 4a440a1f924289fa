package redis

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"nt/internal/resource"
	"nt/tracker"
)

// saidFor is how long statements outlive the last that was added.
const saidFor = 7 * 24 * time.Hour

// maxSaid bounds how many statements of one key are read.
const maxSaid = 256

// write is one field of the hash of a key.
type write struct {
	key   resource.Key
	field string
	kept  *tracker.Kept
	value string
}

func saidKey(k resource.Key) string { return "nt:said:" + k.String() }

// queue is called by the store, under its lock, for every statement it begins to
// keep. It never waits; what finds no room is written when it is said again.
func (c *Cluster) queue(k tracker.Kept) {
	c.push(write{key: k.Statement.Key, field: k.Statement.Witness.String() + "/" + k.Statement.Object.String(), kept: &k})
}

func (c *Cluster) queueOutage(key resource.Key, at int64) {
	c.push(write{key: key, field: "outage", value: strconv.FormatInt(at, 10)})
}

func (c *Cluster) push(w write) {
	select {
	case c.writes <- w:
	default:
	}
}

// writeLoop writes what is queued until ctx ends and the queue is empty.
func (c *Cluster) writeLoop(ctx context.Context) {
	for {
		select {
		case w := <-c.writes:
			c.writeWhenPossible(ctx, w)
		case <-ctx.Done():
			for {
				select {
				case w := <-c.writes:
					c.write(w)
				default:
					return
				}
			}
		}
	}
}

func (c *Cluster) writeWhenPossible(ctx context.Context, w write) {
	for c.write(w) != nil {
		select {
		case <-time.After(c.cfg.Lives / beats): // Redis is being restarted
		case <-ctx.Done():
			return
		}
	}
}

func (c *Cluster) write(w write) error {
	value := []byte(w.value)
	command := "HSETNX" // the first outage stays
	if w.kept != nil {
		command = "HSET"
		var err error
		if value, err = json.Marshal(w.kept); err != nil {
			return nil // it was a statement when it came, so this cannot be helped by trying again
		}
	}
	conn := c.pool.Get()
	defer conn.Close()
	if n, err := redis.Int(conn.Do("HLEN", saidKey(w.key))); err != nil || n >= maxSaid {
		return err
	}
	if _, err := conn.Do(command, saidKey(w.key), w.field, value); err != nil {
		return err
	}
	_, err := conn.Do("EXPIRE", saidKey(w.key), int64(saidFor/time.Second))
	return err
}

// load asks Redis what witnesses said of a key while other nodes owned it, once in a while.
// When Redis does not answer, the own memory is all there is.
func (c *Cluster) load(now time.Time, key resource.Key) {
	c.mu.Lock()
	at, ok := c.loaded[key]
	fresh := ok && now.Sub(at) < loadAgain && now.Sub(at) >= 0
	if !fresh {
		if len(c.loaded) >= loadedMost {
			clear(c.loaded)
		}
		c.loaded[key] = now
	}
	c.mu.Unlock()
	if fresh || c.local.Knows(key) {
		return
	}
	conn := c.pool.Get()
	defer conn.Close()
	fields, err := redis.StringMap(conn.Do("HGETALL", saidKey(key)))
	if err != nil {
		c.mu.Lock()
		delete(c.loaded, key)
		c.mu.Unlock()
		return
	}
	outage, _ := strconv.ParseInt(fields["outage"], 10, 64)
	for field, text := range fields {
		var k tracker.Kept
		if field == "outage" || json.Unmarshal([]byte(text), &k) != nil || k.Statement.Key != key || k.Statement.Verify() != nil {
			continue
		}
		c.local.Restore(now, k, outage)
	}
}
