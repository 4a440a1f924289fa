package peer

import (
	"net/http"
	"time"
)

// handOver lets an answer that did not come in time fill the copy which its last reader
// took instead: the origin has the request, so it may as well be of use.
func (fl *flight) handOver(c *found) {
	if c.fetch == nil {
		return
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	select {
	case <-fl.answered:
		return
	default:
	}
	if fl.readers == 1 && !fl.claimed {
		fl.claimed, fl.helps = true, c.fetch
		c.n.work.Go(func() {
			select {
			case <-c.fetch.done:
				fl.cancel(errAbandoned)
			case <-fl.ctx.Done():
			}
		})
	}
}

// lateHelp makes the late answer of an origin, whatever it says, its part of a fetch.
func (n *Node) lateHelp(fl *flight) {
	defer fl.cancel(nil)
	f, resp := fl.helps, fl.resp
	if fl.err != nil {
		return
	}
	defer resp.Body.Close()
	wait, named := retryAfter(resp.Header, time.Now())
	refused := resp.StatusCode == http.StatusServiceUnavailable && named && wait <= maxRetryAfter
	size := f.entry.Size()
	same := resp.StatusCode == http.StatusOK && (resp.ContentLength == size || resp.ContentLength < 0) && sameRepresentation(resp.Header, f.entry.Header()) == nil
	if !refused && !same {
		return
	}
	header, body := f.entry.Header(), (*stream)(nil)
	if same {
		n.outages.up(fl.plan.url.Origin())
		header, body = resp.Header, newStream(fl.ctx, resp)
	}
	if nb := n.help(f, fl.plan, header); nb != nil {
		nb.start(body, 0, nil, time.Now().Add(wait))
		nb.lastsAs(f)
	}
}

// lastsAs stops the help when the fetch is over.
func (nb *helper) lastsAs(f *fetch) {
	select {
	case <-f.done:
	case <-nb.done:
	case <-nb.n.ctx.Done():
	}
	nb.close()
}

// helpLater lets an origin that answered 503 and said when it is to be asked again help then,
// if the fetch of the copy takes that long.
func (n *Node) helpLater(p *plan, c *found, resp *http.Response) {
	if c.fetch == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		return
	}
	wait, ok := retryAfter(resp.Header, time.Now())
	if !ok || wait > maxRetryAfter {
		return
	}
	if nb := n.help(c.fetch, p, c.entry.Header()); nb != nil {
		nb.start(nil, 0, nil, time.Now().Add(max(wait, rangeWait)))
		n.work.Go(func() { nb.lastsAs(c.fetch) })
	}
}
