package bittorrent

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// conn is a connection as the BitTorrent client sees it: counted, paced, and
// known by whom it is with.
type conn struct {
	net.Conn
	head    []byte   // read already
	remote  net.Addr // a *link in a Fetch
	content *content // what it serves; nil: nothing
	onEnd   func()
	once    sync.Once

	ctx    context.Context // ends with the connection; nil if limit is nil
	cancel context.CancelFunc
	limit  *rate.Limiter // nil: unlimited

	in, out atomic.Int64 // bytes
	pacing  atomic.Bool  // waits for our own limit
}

func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	if c.limit != nil {
		p = p[:min(len(p), c.limit.Burst())]
	}
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	if err == nil && c.limit != nil {
		c.pacing.Store(true)
		err = pace(c.ctx, c.limit, n)
		c.pacing.Store(false)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.content.silenced() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

// SetDeadline says nothing of a connection that is closed, as a Read will: the client panics if one that it has just accepted
// cannot have a deadline (anacrolix/torrent v1.61.0, Client.runReceivedConn), and ours may be closed at that moment by either side of us.
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.Conn.SetDeadline(t)
	return nil
}

// Close closes the connection and tells whoever wants to know.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		if c.cancel != nil {
			c.cancel()
		}
		c.onEnd()
	})
	return err
}

// newLimit returns the limiter of a Fetch. Its burst, and with it the largest
// single read, is a tenth of a second's worth within 1 and 64 KiB.
func newLimit(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(min(max(bytesPerSecond/10, 1<<10), 64<<10)))
}

// pace waits until lim lets n bytes through. Unlike WaitN it does not give up
// early because the context will end before.
func pace(ctx context.Context, lim *rate.Limiter, n int) error {
	if lim == nil {
		return ctx.Err()
	}
	if d := lim.ReserveN(time.Now(), n).Delay(); d > 0 {
		return sleep(ctx, d)
	}
	return ctx.Err()
}

// sleep waits, or returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
