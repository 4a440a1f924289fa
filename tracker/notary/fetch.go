package notary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/internal/resource"
)

// errDiffers reports that the notary saw something else than the reader.
var errDiffers = errors.New("notary: the origin shows something else")

// fetch makes the canonical request and returns the signed statement of what it
// saw if that is what the claim says. Content is hashed as it streams by: a body
// of another size than claimed differs, so its size is always known.
func (n *Notary) fetch(ctx context.Context, j job) (resource.Statement, error) {
	req, err := n.request(ctx, j)
	if err != nil {
		return resource.Statement{}, err
	}
	n.count.add("fetched")
	resp, err := n.http.Do(req)
	if err != nil {
		return resource.Statement{}, err
	}
	defer resp.Body.Close()
	if err := resource.Shareable(req.Header, resp.StatusCode, resp.Header); err != nil {
		return resource.Statement{}, err
	}
	if resp.ContentLength >= 0 && resp.ContentLength != j.claim.Size {
		return resource.Statement{}, fmt.Errorf("%w: %d bytes, not %d", errDiffers, resp.ContentLength, j.claim.Size)
	}
	seen := resource.Statement{Key: j.claim.Key, Size: j.claim.Size, Status: resp.StatusCode, ObservedAt: n.cfg.Now().Unix()}
	if seen.Header, err = resource.KeepHeader(resp.Header); err != nil {
		return resource.Statement{}, err
	}
	tree, err := chunker.Build(resp.Body, j.claim.Size)
	if errors.Is(err, chunker.ErrSize) {
		return resource.Statement{}, fmt.Errorf("%w: %w", errDiffers, err)
	}
	if err != nil {
		return resource.Statement{}, err
	}
	seen.Object = tree.Header().ID()
	if !seen.SameContent(j.claim) {
		return resource.Statement{}, errDiffers
	}
	st, err := n.journal.sign(n.cfg.Now(), seen)
	if err != nil {
		n.cfg.Log.Error("nothing is signed", "err", err)
	}
	return st, err
}

// request is the same for every URL but for the encoding: nothing in it stems
// from the reader.
func (n *Notary) request(ctx context.Context, j job) (*http.Request, error) {
	ctx = context.WithValue(ctx, costKey{}, costOf(j.claim.Size))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url.String(), nil)
	if err != nil {
		return nil, err
	}
	encoding := j.claim.Encoding()
	if encoding == "" {
		encoding = "identity"
	}
	req.Header.Set("User-Agent", n.agent)
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", encoding)
	return req, nil
}

// costKey is where a request's context says what the look costs its address.
type costKey struct{}

// paced holds a new connection back until its address may be asked again: many
// names can lead to one server, and it shall not be asked more often for that.
func (n *Notary) paced(ctx context.Context, conn net.Conn) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("the connection's address: %w", err)
	}
	cost, _ := ctx.Value(costKey{}).(int64)
	n.mu.Lock()
	wait, ok := n.addresses.reserve(n.cfg.Now(), ap.Addr().Unmap(), max(cost, 1))
	n.mu.Unlock()
	if !ok {
		conn.Close()
		return nil, errors.New("the address is asked too often under other names")
	}
	if wait <= 0 {
		return conn, nil
	}
	select {
	case <-time.After(wait):
		return conn, nil
	case <-ctx.Done():
		conn.Close()
		return nil, ctx.Err()
	}
}
