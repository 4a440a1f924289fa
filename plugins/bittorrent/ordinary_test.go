package bittorrent_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"nt/internal/testenv"
	"nt/plugins/bittorrent"
	"nt/transport/transporttest"
)

// announcer is a tracker (BEP 3, BEP 23) that always names one peer.
func announcer(t *testing.T, peer netip.AddrPort) string {
	addr := peer.Addr().As4()
	compact := append(addr[:], byte(peer.Port()>>8), byte(peer.Port()))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "d8:intervali60e5:peers%d:%se", len(compact), compact)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/announce"
}

// TestOrdinaryClientJoins: aria2, given a .torrent made of the hint, downloads
// from a node, byte for byte.
func TestOrdinaryClientJoins(t *testing.T) {
	aria2, err := exec.LookPath("aria2c")
	testenv.SkipUnless(t, err == nil, "needs aria2c (Debian: aria2)")
	c, err := transporttest.NewContent(7, 3<<20+12345)
	if err != nil {
		t.Fatal(err)
	}
	node := startNode(t, transporttest.Holding(c), quick)
	file, err := bittorrent.Torrent(bytes.NewReader(getHint(t, node.Peer.Addr, c.ID())), c.ID(), announcer(t, node.Peer.Addr))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	torrent := filepath.Join(dir, "object.torrent")
	if err := os.WriteFile(torrent, file, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, aria2, "--no-conf", "--dir="+dir, "--seed-time=0", "--enable-dht=false", "--enable-dht6=false",
		"--enable-peer-exchange=false", "--bt-enable-lpd=false", "--interface=127.0.0.1", "--listen-port=20000-60000",
		"--file-allocation=none", "--summary-interval=0", "--check-integrity=true", "--no-proxy=*",
		"--bt-tracker-interval=2", torrent) // a connection that fails once is tried again when the tracker names the peer again
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("aria2c: %v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, c.ID().String()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, c.Bytes()) {
		t.Error("aria2c downloaded something else")
	}
}
