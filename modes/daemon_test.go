package modes

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nt/peer"
)

// TestDaemonsRunInProcessAndLeaveNothingBehind starts what nt demo starts and stops
// it again: no goroutine may stay.
func TestDaemonsRunInProcessAndLeaveNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	env := environ{"XDG_STATE_HOME": t.TempDir()}
	site := t.TempDir()
	if err := os.WriteFile(filepath.Join(site, "page.html"), []byte("<p>hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	newKey := func(name string) nodeOptions {
		key, err := env.identity(name)
		if err != nil {
			t.Fatal(err)
		}
		return nodeOptions{key: key, cacheDir: t.TempDir(), allowPrivate: true, share: true, listen: "127.0.0.1:0"}
	}
	tracker, err := startTracker(trackerOptions{listen: "127.0.0.1:0", key: newKey("tracker").key, notary: newKey("notary").key, allowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	o := seedOptions{dir: site, httpAddr: "127.0.0.1:0", rescan: time.Hour, node: newKey("seed")}
	o.node.trackers = []string{tracker.addr}
	seed, err := startSeed(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	reader := newKey("reader")
	reader.trackers = []string{tracker.addr}
	p, err := startPeer(ctx, peerOptions{node: reader, proxyAddr: "127.0.0.1:0", adminAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if got := readThrough(t, ctx, p.node, "http://"+seed.httpAddr+"/page.html"); got != "<p>hello" {
		t.Errorf("read %q", got)
	}
	for _, stop := range []func(context.Context) error{p.close, seed.close, tracker.close} {
		if err := stop(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
}

func readThrough(t *testing.T, ctx context.Context, n *node, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := n.Do(ctx, peer.Request{HTTP: req})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
