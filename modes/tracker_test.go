package modes

import (
	"crypto/ed25519"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/client"
)

func TestTrackerSpeaksBitTorrentOnBothDoors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "listed")
	hash := strings.Repeat("A", 20)
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# the torrents of this house\n" + hex.EncodeToString([]byte(hash)) + "\n\n")
	list, err := newTorrentList(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := startTracker(trackerOptions{listen: "127.0.0.1:0", key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), allowPrivate: true, torrents: list})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close(t.Context())
	get := func(hash string) string {
		resp, err := http.Get("http://" + r.addr + "/announce?left=1&port=7000&info_hash=" + url.QueryEscape(hash))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if got := get(hash); !strings.HasPrefix(got, "d8:completei0e10:incompletei1e") {
		t.Errorf("HTTP: %q", got)
	}
	if got := get(strings.Repeat("B", 20)); !strings.Contains(got, "not listed") {
		t.Errorf("an unlisted torrent: %q", got)
	}
	c, err := net.Dial("udp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.Write([]byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00tran"))
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if err != nil || n != 16 {
		t.Fatalf("UDP: %x, %v", buf[:n], err)
	}
	c.Write(append(append(buf[8:16:16], "\x00\x00\x00\x02scra"...), hash...))
	if n, err = c.Read(buf); err != nil || n != 20 || buf[19] != 1 {
		t.Errorf("scrape: %x, %v", buf[:n], err)
	}

	write("zz\n")
	if err := list.reload(); err == nil || !list.has(tracker.InfoHash([]byte(hash))) {
		t.Errorf("a bad list: %v", err)
	}
	write("")
	if err := list.reload(); err != nil || list.has(tracker.InfoHash([]byte(hash))) {
		t.Errorf("an empty list: %v", err)
	}
}

func trackerMetrics(t *testing.T, addr string) string {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/metrics")
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

func TestRow14_StatementsAndSecretsOutliveTheTracker(t *testing.T) {
	file := filepath.Join(t.TempDir(), statementsFile)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	start := func() *runningTracker {
		r, err := startTracker(trackerOptions{listen: "127.0.0.1:0", key: key, allowPrivate: true, statements: file, token: "sesame"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := start()
	u, err := resource.ParseURL("http://example.org/page")
	if err != nil {
		t.Fatal(err)
	}
	st := resource.Statement{Key: u.Key(), Size: 1, Status: 200, ObservedAt: time.Now().Unix(), Header: http.Header{"Content-Type": {"text/html"}}}.Sign(key)
	peer, err := net.Listen("tcp", "127.0.0.1:0") // nobody is named who does not answer
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	for addr, ok := range map[string]bool{r.addr: false, "other@" + r.addr: false, "sesame@" + r.addr: true} {
		c, err := client.New(client.Config{Addr: addr, Key: key, Port: portOf(peer.Addr().String()), Transports: []string{"http"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Announce(t.Context(), []tracker.Item{{Statement: st}}); (err == nil) != ok {
			t.Errorf("announcing at %s: %v", addr, err)
		}
	}
	if err := r.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = start()
	if got := trackerMetrics(t, r.addr); !strings.Contains(got, "\nnt_tracker_statements 1\n") || !strings.Contains(got, "\nnt_tracker_holders 0\n") {
		t.Errorf("after a restart: %s", got)
	}
	r.close(t.Context())

	// A file that is damaged is left out; the tracker runs.
	if err := os.WriteFile(file, []byte("not statements"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = start()
	if got := trackerMetrics(t, r.addr); !strings.Contains(got, "\nnt_tracker_statements 0\n") {
		t.Errorf("with a damaged file: %s", got)
	}
	r.close(t.Context())
	if secretOf(key) != secretOf(key) || secretOf(key) == (tracker.Secret{}) {
		t.Error("the secret is not a function of the key")
	}
}

// TestReloadTakesOverTheToken runs the command itself, with a configuration that changes.
func TestReloadTakesOverTheToken(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nt.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("token = \"one\"\n")
	a := &app{env: environ{"HOME": dir}, stderr: io.Discard, stdout: io.Discard}
	if _, _, err := a.parse([]string{"tracker", "--config", file}); err != nil {
		t.Fatal(err)
	}
	c, err := a.reread()
	if err != nil || c.Tracker.Token != "one" {
		t.Fatalf("token %q, %v", c.Tracker.Token, err)
	}
	r, err := startTracker(trackerOptions{listen: "127.0.0.1:0", key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), allowPrivate: true, token: "one", log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close(t.Context())
	info := func(token string) int {
		req, _ := http.NewRequest("GET", "http://"+r.addr+"/v1/info", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	b, _ := os.ReadFile(file)
	write(strings.Replace(string(b), "one", "two", 1))
	r.reload(a)
	if info("one") != 401 || info("two") != 200 {
		t.Error("the new token does not count")
	}
	write("no TOML")
	r.reload(a)
	if info("two") != 200 {
		t.Error("a configuration that is wrong changed something")
	}
}
