package intercept

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	hostsFile = "passed"
	// hostsHead is the first line of the file, with the authority's fingerprint behind
	// it: what a reader refused under another authority says nothing of this one.
	hostsHead = "nt-passed-1 "
	maxHosts  = 4096
	maxHost   = 255 // bytes of a name
	// remembered is how long a host is left alone.
	remembered = 30 * 24 * time.Hour
)

// hosts remembers, across restarts, which hosts are not to be read. The zero path
// keeps them in memory only.
type hosts struct {
	path        string
	fingerprint string

	mu sync.Mutex
	m  map[string]time.Time // since when
}

// openHosts reads the list in dir; a list that cannot be read, or is another
// authority's, is an empty one.
func openHosts(dir, fingerprint string) *hosts {
	h := &hosts{fingerprint: fingerprint, m: map[string]time.Time{}}
	if dir == "" {
		return h
	}
	h.path = filepath.Join(dir, hostsFile)
	f, err := os.Open(h.path)
	if err != nil {
		return h
	}
	defer f.Close()
	h.m = parseHosts(io.LimitReader(f, maxHosts*(maxHost+32)), fingerprint)
	return h
}

// parseHosts reads lines of "UNIX-SECONDS HOST" behind the head line.
func parseHosts(r io.Reader, fingerprint string) map[string]time.Time {
	m := map[string]time.Time{}
	lines := bufio.NewScanner(r)
	if !lines.Scan() || lines.Text() != hostsHead+fingerprint {
		return m
	}
	for lines.Scan() && len(m) < maxHosts {
		at, host, _ := strings.Cut(lines.Text(), " ")
		sec, err := strconv.ParseInt(at, 10, 64)
		if err == nil && sec >= 0 && host != "" && len(host) <= maxHost && !strings.Contains(host, " ") {
			m[host] = time.Unix(sec, 0)
		}
	}
	return m
}

// has reports whether host is left alone.
func (h *hosts) has(host string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	since, ok := h.m[host]
	return ok && now.Sub(since) < remembered
}

// add remembers a host. A full list forgets its oldest.
func (h *hosts) add(host string, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.m[host]; !known && len(h.m) >= maxHosts {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(h.m)), func(a, b string) int { return h.m[a].Compare(h.m[b]) })
		delete(h.m, oldest)
	}
	h.m[host] = now
	if h.path == "" {
		return nil
	}
	var b bytes.Buffer
	b.WriteString(hostsHead + h.fingerprint + "\n")
	for _, name := range slices.Sorted(maps.Keys(h.m)) {
		fmt.Fprintf(&b, "%d %s\n", h.m[name].Unix(), name)
	}
	return replace(h.path, b.Bytes())
}
