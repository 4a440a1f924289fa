package bittorrent_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"nt/internal/testenv"
	"nt/transport"
	"nt/transport/transporttest"
)

// TestRow49_SocketAudit: while an object is fetched and seeded, the process has no
// listening or datagram socket but the node's port.
func TestRow49_SocketAudit(t *testing.T) {
	_, err := os.Stat("/proc/self/net/tcp")
	testenv.SkipUnless(t, err == nil, "needs /proc")
	c := content(t, 1, 40<<10)
	holder := startNode(t, transporttest.Holding(c), quick)
	reader := open(t, transport.Env{Options: quick})
	var mu sync.Mutex
	before := openPorts(t)
	during := make(map[string]bool)
	sink := transporttest.NewSink(c.ID())
	sink.OnPut = func(int) {
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(during, openPorts(t))
	}
	if err := reader.Fetch(t.Context(), request(sink, c.ID(), nil, holder.Peer)); err != nil {
		t.Fatal(err)
	}
	for port := range during {
		if !before[port] {
			t.Errorf("socket %s was opened", port)
		}
	}
	if len(during) == 0 {
		t.Error("not even the holder's port was seen")
	}
}

// openPorts returns the process's own listening TCP and all its UDP sockets.
func openPorts(t *testing.T) map[string]bool {
	ours := make(map[string]bool)
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			ours[strings.Trim(to, "socket:[]")] = true
		}
	}
	ports := make(map[string]bool)
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			f := strings.Fields(string(line)) // sl local remote state ... inode at 9
			if len(f) > 9 && ours[f[9]] && (f[3] == "0A" || strings.HasPrefix(table, "udp")) {
				ports[table+" "+f[1]] = true
			}
		}
	}
	return ports
}
