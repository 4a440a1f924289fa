package modes

import (
	"crypto/ed25519"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nt/tracker"
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
