package peer

import (
	"testing"

	"nt/chunker/store"
	"nt/chunker/store/disk"
	"nt/peer/cache"
	"nt/peer/origin"
)

// library is a node over a directory, as one process would run it.
func library(t *testing.T, dir string, change ...func(*Config)) *rig {
	t.Helper()
	st, err := disk.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, append(change, func(cfg *Config) { cfg.Store, cfg.Cache, cfg.Origin = st, c, origin.New(origin.Config{}) })...)
	t.Cleanup(func() { r.node.Close(); r.cfg.Origin.Close(); st.Close() })
	return r
}

func TestN8_CopiesOutliveTheProcess(t *testing.T) {
	body := pattern(500_000)
	s := newSite(t, sendText(body))
	dir := t.TempDir()
	first := library(t, dir)
	first.mustGet(s.URL+"/p", body, SourceOrigin)
	first.settle()
	first.node.Close()
	s.Close()
	second := library(t, dir)
	second.mustGet(s.URL+"/p", body, SourceCache)
	if a := <-second.locator.announced; len(a) != 1 || a[0].URL != s.URL+"/p" {
		t.Errorf("announced after a restart: %v", a)
	}
}

func TestTwoProcessesShareOneDirectory(t *testing.T) {
	body := pattern(200_000)
	s := newSite(t, sendText(body))
	dir := t.TempDir()
	a, b := library(t, dir), library(t, dir)
	a.mustGet(s.URL+"/p", body, SourceOrigin)
	a.settle()
	s.Close()
	b.mustGet(s.URL+"/p", body, SourceCache) // without being told
}
