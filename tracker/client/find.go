package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// Answer is what a tracker knows of one key.
type Answer struct {
	tracker.Result
	// Settling is for how long holders may be missing because the tracker has restarted.
	Settling time.Duration
}

const (
	// askPatience is how long a question by UDP goes alone before HTTP is tried beside it.
	askPatience = 300 * time.Millisecond
	// udpForgets is how long a tracker that UDP did not reach is asked both ways at once.
	udpForgets = 10 * time.Minute
)

// outcome is how one way of asking went.
type outcome struct {
	answer Answer
	err    error
	udp    bool
}

// Find asks for up to want holders of a key: in one round trip by UDP where that can be, else over HTTP. UDP
// is left out where the address says https: its answers are not authenticated.
func (c *Client) Find(ctx context.Context, key resource.Key, want int) (Answer, error) {
	if c.cfg.Ask == nil || c.base.Scheme != "http" {
		return c.findHTTP(ctx, key, want)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan outcome, 2)
	go func() {
		a, err := c.join(ctx, key, want)
		done <- outcome{a, err, true}
	}()
	patience := time.NewTimer(c.askPatience())
	defer patience.Stop()
	var errs []error
	for asked := 1; ; {
		select {
		case o := <-done:
			if o.err == nil {
				c.reached(o.udp)
				return o.answer, nil
			}
			if errs = append(errs, o.err); len(errs) == 2 || !o.udp {
				return Answer{}, o.err // that of HTTP, which says more
			}
			patience.Reset(0)
		case <-patience.C:
			if asked == 1 {
				asked = 2
				go func() {
					a, err := c.findHTTP(ctx, key, want)
					done <- outcome{a, err, false}
				}()
			}
		}
	}
}

// askPatience is nothing where UDP did not come through lately.
func (c *Client) askPatience() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deafAt.IsZero() && c.cfg.Now().Sub(c.deafAt) < udpForgets {
		return 0
	}
	return askPatience
}

func (c *Client) reached(byUDP bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deafAt = time.Time{}
	if !byUDP {
		c.deafAt = c.cfg.Now()
	}
}

func (c *Client) findHTTP(ctx context.Context, key resource.Key, want int) (Answer, error) {
	keys := []resource.Key{key}
	resp, err := c.lookup(ctx, keys, want)
	if err != nil {
		return Answer{}, err
	}
	return Answer{resp.Results[0], settling(resp.Settling)}, nil
}

// settling bounds what a tracker says.
func settling(s int64) time.Duration {
	return time.Duration(min(max(s, 0), int64(tracker.DefaultMax/time.Second))) * time.Second
}

// enough reports whether an answer will do without the statements that were left out for want of room: they
// may not tell of another version, and what is told must be the tracker's own word.
func (c *Client) enough(j tracker.Joined) bool {
	if j.Partial || j.Echoes && c.cfg.Everything || j.More && len(j.Result.Peers) == 0 {
		return false
	}
	return !j.Echoes || j.Notary != nil && slices.ContainsFunc(j.Result.Statements, func(l tracker.Logged) bool { return l.Statement.Witness == *j.Notary })
}

// join asks by UDP. When too much was left out for want of room, it asks again: with the token
// that came with the answer there is more of it.
func (c *Client) join(ctx context.Context, key resource.Key, want int) (Answer, error) {
	to, err := c.udpAddr(ctx)
	if err != nil {
		return Answer{}, err
	}
	q := tracker.Join{Key: key, Want: min(want, tracker.MaxWant), Port: c.cfg.Port, Near: c.cfg.Near, Access: tracker.AccessTo(c.base.User.Username(), key)}
	for range 2 {
		b, err := c.cfg.Ask(ctx, to, q.Append(nil))
		if err != nil {
			return Answer{}, fmt.Errorf("asking tracker %s by UDP: %w", c.Name(), err)
		}
		j, err := tracker.ParseJoined(key, b)
		if err != nil {
			return Answer{}, &shapeError{c.Name(), err}
		}
		if j.Refused != "" {
			return Answer{}, fmt.Errorf("tracker %s refuses by UDP: %q", c.Name(), j.Refused)
		}
		if !c.enough(j) {
			continue
		}
		results := tracker.Results{j.Result}
		if err := c.checkResults([]resource.Key{key}, results); err != nil {
			return Answer{}, err
		}
		c.met(j)
		return Answer{results[0], settling(j.Settling)}, nil
	}
	return Answer{}, errors.New("more is said of it than fits into datagrams")
}

// met keeps what the tracker says of itself, as Info would tell.
func (c *Client) met(j tracker.Joined) {
	if c.pin != nil && (j.Notary == nil || *j.Notary != *c.pin) {
		return // Info will say so
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info, c.infoAt = tracker.Info{Version: 1, Notary: j.Notary, Key: j.Session}, c.cfg.Now()
}

// udpAddr returns where the tracker hears UDP: at its TCP port's number.
func (c *Client) udpAddr(ctx context.Context) (netip.AddrPort, error) {
	c.mu.Lock()
	addr := c.udp
	c.mu.Unlock()
	if addr.IsValid() {
		return addr, nil
	}
	host, port := c.Address()
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return addr, fmt.Errorf("the port of tracker %s: %w", c.Name(), err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return addr, fmt.Errorf("looking for tracker %s: %w", c.Name(), err)
		}
		ip = all[0]
	}
	addr = netip.AddrPortFrom(ip.Unmap(), uint16(number))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.udp = addr
	return addr, nil
}

// TopicOf is what a session with the tracker's rendezvous calls an object.
func (c *Client) TopicOf(object chunker.ObjectID) [32]byte {
	return tracker.TopicOf(c.base.User.Username(), object)
}

// Rendezvous returns where the tracker's UDP sessions are, and their key; nil if it has none.
func (c *Client) Rendezvous(ctx context.Context) (netip.AddrPort, *transport.PeerID, error) {
	info, err := c.known(ctx)
	if err != nil || info.Key == nil {
		return netip.AddrPort{}, nil, err
	}
	addr, err := c.udpAddr(ctx)
	return addr, info.Key, err
}
