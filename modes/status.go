package modes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"nt/peer/admin"
	"nt/tracker/client"
)

// statusCmd asks the running peer of this user, and the trackers, how they are.
type statusCmd struct {
	JSON bool `name:"json" help:"One JSON object."`
}

// overview is what nt status --json prints.
type overview struct {
	Running  *running       `json:"running"` // null: no peer of this user runs
	Peer     *admin.Status  `json:"peer"`
	Trackers map[string]any `json:"trackers"` // by address: statistics, or an error text
}

// Run asks and prints. It fails when no peer runs and no tracker was named.
func (c *statusCmd) Run(a *app) error {
	ctx, cancel := context.WithTimeout(a.ctx, 10*time.Second)
	defer cancel()
	o := overview{Trackers: map[string]any{}}
	r, err := a.env.runningPeer()
	switch {
	case err == nil:
		if o.Peer, err = askAdmin(ctx, r.Admin); err != nil {
			return err
		}
		r.Token = "" // for commands, not for the screen
		o.Running = &r
	case !errors.Is(err, errNotRunning):
		return err
	case len(a.common.Tracker) == 0:
		return &fault{ExitOther, errNotRunning, "nt peer starts one; --tracker asks a tracker"}
	}
	for _, addr := range a.common.Tracker {
		t, err := client.New(client.Config{Addr: addr, Timeout: 5 * time.Second, Tries: 1})
		if err != nil {
			return usagef("", "--tracker: %w", err)
		}
		defer t.Close()
		if stats, err := t.Stats(ctx); err != nil {
			o.Trackers[t.Name()] = err.Error()
		} else {
			o.Trackers[t.Name()] = stats
		}
	}
	if c.JSON {
		return a.printJSON(o)
	}
	return a.printOverview(o)
}

// askAdmin reads the status of a running peer.
func askAdmin(ctx context.Context, addr string) (*admin.Status, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/status", nil)
	if err != nil {
		return nil, fmt.Errorf("asking the running peer: %w", err)
	}
	transport := &http.Transport{} // no proxy: it is on this machine
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("asking the running peer: %w", err)
	}
	defer resp.Body.Close()
	s := new(admin.Status)
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(s); err != nil {
		return nil, fmt.Errorf("asking the running peer: %w", err)
	}
	return s, nil
}

// printOverview prints for people.
func (a *app) printOverview(o overview) error {
	if o.Running != nil {
		lines := []string{
			fmt.Sprintf("peer     %s, process %d, up %s", o.Running.Peer, o.Running.PID, time.Duration(o.Peer.UptimeSeconds)*time.Second),
			fmt.Sprintf("proxy    %s", orNone(o.Running.Proxy)),
			fmt.Sprintf("admin    http://%s/", o.Running.Admin),
			fmt.Sprintf("cache    %s: %d bytes in %d objects", o.Running.Cache, o.Peer.Cache.Bytes, o.Peer.Cache.Objects),
			fmt.Sprintf("readers  %d bytes from origins, %d from the cache, %d from peers",
				o.Peer.BytesBySource["origin"], o.Peer.BytesBySource["cache"], o.Peer.BytesBySource["peers"]),
		}
		for _, line := range lines {
			if err := a.println(line); err != nil {
				return err
			}
		}
	}
	for name, stats := range o.Trackers {
		b, err := json.Marshal(stats)
		if err != nil {
			return err
		}
		if err := a.println(fmt.Sprintf("tracker  %s %s", name, b)); err != nil {
			return err
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
