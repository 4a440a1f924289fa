package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/storetest"
	"nt/transport"
)

// putSome begins c and puts its first n chunks.
func putSome(t *testing.T, s store.Store, c storetest.Content, n int) {
	t.Helper()
	obj, err := s.Create(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	storetest.Begin(t, obj, c)
	for i := range n {
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	whole, part := storetest.Make(t, 1, 100_000), storetest.Make(t, 2, 100_000)
	s := openStore(t, dir, store.Options{})
	storetest.Put(t, s, whole)
	putSome(t, s, part, 50)
	used, _ := s.Usage()
	closeStore(t, s)
	s = openStore(t, dir, store.Options{})
	storetest.Check(t, s, whole)
	obj, err := s.OpenObject(part.ID)
	if err != nil {
		t.Fatal(err)
	}
	if have := obj.Have(); have.Count() != 50 || have.Intervals() != 1 || obj.Complete() {
		t.Errorf("%d chunks in %d intervals survived, want 50 in 1", have.Count(), have.Intervals())
	}
	if err := obj.Close(); err != nil {
		t.Fatal(err)
	}
	if again, _ := s.Usage(); again < used || again > used+4096 {
		t.Errorf("%d bytes were in use, %d are after the restart", used, again)
	}
	putSome(t, s, part, part.NumChunks())
	storetest.Check(t, s, part)
}

func TestEvictionOrderSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	var c [4]storetest.Content
	now := time.Unix(1_700_000_000, 0)
	o := store.Options{Now: func() time.Time { now = now.Add(time.Hour); return now }}
	s := openStore(t, dir, o)
	for i := range c {
		c[i] = storetest.Make(t, uint64(i), 64<<10)
		if i < 3 {
			storetest.Put(t, s, c[i])
		}
	}
	storetest.Check(t, s, c[0])
	used, _ := s.Usage()
	closeStore(t, s)
	o.Budget = used + used/6
	s = openStore(t, dir, o)
	storetest.Put(t, s, c[3])
	if _, err := s.OpenObject(c[1].ID); !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("the least recently used object is still there: %v", err)
	}
	storetest.Check(t, s, c[0])
	storetest.Check(t, s, c[2])
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	c, headless := storetest.Make(t, 1, 5000), storetest.Make(t, 2, 5000)
	s := openStore(t, dir, store.Options{})
	storetest.Put(t, s, c)
	storetest.Put(t, s, headless)
	closeStore(t, s)
	object := filepath.Join(dir, filepath.FromSlash(objectPath(c.ID)))
	id := c.ID.String()
	foreign := []string{"notes.txt", "objects/file", "objects/zz/what", "tmp/other", "objects/" + id[:2] + "/" + strings.ToUpper(id) + "X",
		"objects/00/" + id, "objects/" + id[:2] + "/core"}
	for _, name := range foreign {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte("mine"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, tmpName, spoolPrefix+"left")
	if err := errors.Join(os.WriteFile(filepath.Join(object, "extra"), nil, 0o600), os.Mkdir(left, 0o700),
		os.WriteFile(filepath.Join(left, dataName), []byte("half"), 0o600),
		os.Remove(filepath.Join(dir, filepath.FromSlash(objectPath(headless.ID)), headerName))); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s = openStore(t, dir, store.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	storetest.Check(t, s, c)
	listed := 0
	for range s.List() {
		listed++
	}
	if listed != 1 {
		t.Errorf("%d objects are listed, want 1", listed)
	}
	for _, name := range foreign {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "mine" {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dead process's spool was not cleared away: %v", err)
	}
	for _, word := range []string{"objects/file", "objects/zz/what", "tmp/other", headless.ID.String()} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log does not name %s:\n%s", word, log.String())
		}
	}
	putSome(t, s, headless, 1) // the header comes back and with it what was there
	storetest.Check(t, s, headless)
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openStore(t, dir, store.Options{})
	storetest.Put(t, s, storetest.Make(t, 1, 5000))
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v is open to others", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoStoresOnOneDirectory lets one store see what another does.
func TestTwoStoresOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	c := storetest.Make(t, 1, 64<<10)
	a, b := openStore(t, dir, store.Options{}), openStore(t, dir, store.Options{})
	putSome(t, a, c, 10)
	obj, err := b.OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := obj.Have().Count(); n != 10 {
		t.Errorf("the other store sees %d chunks, want 10", n)
	}
	if err := a.Remove(c.ID); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing what the other store has open: %v", err)
	}
	if err := obj.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Put(t, a, c)
	storetest.Check(t, b, c) // b remembered 10 chunks and must look again
	if err := b.Remove(c.ID); err != nil {
		t.Error(err)
	}
	if _, err := a.OpenObject(c.ID); !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("opening what the other store removed: %v", err)
	}
	storetest.Put(t, a, c)
	storetest.Check(t, b, c)
	sp, err := a.Spool(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sp.Write(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	third := openStore(t, dir, store.Options{}) // must leave a living spool alone
	if used, _ := third.Usage(); used < 5000+c.Size {
		t.Errorf("%d bytes in use, the other store's spool left out", used)
	}
	h, err := sp.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got, err := third.OpenObject(h.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if n, err := io.Copy(io.Discard, store.NewReader(context.Background(), got, 0)); err != nil || n != 5000 {
		t.Errorf("read %d bytes of the other store's spool: %v", n, err)
	}
}

func TestIdleListIsBounded(t *testing.T) {
	var l idleList
	first := &entry{}
	l.add(first, maxIdleChunks/2)
	if old := l.add(&entry{}, maxIdleChunks/2+1); len(old) != 1 || old[0] != first {
		t.Errorf("%d entries went over the limit of chunks", len(old))
	}
	for range 2 * maxIdle {
		l.add(&entry{id: chunker.ObjectID{1}}, 1)
	}
	if len(l.entries) != maxIdle || len(l.chunks) != maxIdle || l.total != maxIdle {
		t.Errorf("%d entries of %d chunks are kept", len(l.entries), l.total)
	}
}
