package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"nt/chunker/store"
	"nt/internal/resource"
	"nt/peer"
)

// forgetCmd removes copies and takes their announcements back.
type forgetCmd struct {
	URL []string `arg:"" help:"What to forget."`
}

// Run asks the running peer, which alone can take announcements back, or changes the
// cache itself if no peer runs on it.
func (c *forgetCmd) Run(a *app) error {
	var urls []resource.URL
	for _, raw := range c.URL {
		u, err := resource.ParseURL(raw)
		if err != nil {
			return usagef("write http://HOST/PATH or https://HOST/PATH", "%q: %w", raw, err)
		}
		urls = append(urls, u)
	}
	dir, err := a.cachePath()
	if err != nil {
		return err
	}
	r, err := a.env.runningPeer()
	if err == nil && filepath.Clean(r.Cache) == filepath.Clean(dir) {
		for _, u := range urls {
			if err := askToForget(a.ctx, r, u); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	n := peer.NewNode(peer.Config{Store: h.store, Cache: h.cache})
	defer n.Close()
	for _, u := range urls {
		if _, err := n.Forget(u); err != nil && !errors.Is(err, store.ErrInUse) {
			return fileFault("forgetting", err)
		}
	}
	return nil
}

// askToForget tells the running peer.
func askToForget(ctx context.Context, r running, u resource.URL) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Admin+"/api/forget?"+url.Values{"url": {u.String()}}.Encode(), nil)
	if err != nil {
		return fmt.Errorf("asking the running peer: %w", err)
	}
	req.Header.Set("X-NT-Token", r.Token)
	transport := &http.Transport{} // no proxy: it is on this machine
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("asking the running peer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // may be cut; the status says enough
		return fmt.Errorf("the running peer answers %d: %s", resp.StatusCode, strings.TrimSpace(string(why)))
	}
	return nil
}
