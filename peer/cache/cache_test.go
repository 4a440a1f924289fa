package cache

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/trust"
)

func entry(t testing.TB, url, encoding string, seen int64) Entry {
	t.Helper()
	u, err := resource.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Content-Type": {"text/html"}, "Etag": {`"v1"`}}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	s := resource.Statement{Key: u.Key(), Object: chunker.ObjectID{byte(seen)}, Size: 10, Status: 200, Header: h, ObservedAt: seen}
	return Entry{URL: u.String(), Level: trust.Notary, Witnesses: []string{"notary a"}, StoredAt: seen,
		Statement: s.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)))}
}

func open(t testing.TB) *Cache {
	t.Helper()
	c, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t testing.TB, c *Cache, es ...Entry) {
	t.Helper()
	for _, e := range es {
		if err := c.Put(e); err != nil {
			t.Fatal(err)
		}
	}
}

func urlOf(t testing.TB, e Entry) resource.URL {
	u, err := resource.ParseURL(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestN8_PutGetRemove(t *testing.T) {
	c := open(t)
	plain, gz, other := entry(t, "http://a.test/x", "", 5), entry(t, "http://a.test/x", "gzip", 7), entry(t, "http://a.test/y?b", "", 6)
	put(t, c, plain, gz, other)
	if diff := cmp.Diff([]Entry{gz, plain}, c.Get(urlOf(t, plain))); diff != "" {
		t.Error(diff)
	}
	newer := entry(t, "http://a.test/x", "", 9)
	put(t, c, newer)
	if diff := cmp.Diff([]Entry{newer, gz}, c.Get(urlOf(t, plain))); diff != "" {
		t.Error(diff)
	}
	n := 0
	for _, err := range c.All() {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	if err := c.RemoveEntry(plain); err != nil || len(c.Get(urlOf(t, plain))) != 2 {
		t.Error("an entry that was replaced took the new one with it", err)
	}
	if n, err := c.Remove(urlOf(t, plain)); n != 2 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if len(c.Get(urlOf(t, plain))) != 0 || len(c.Get(urlOf(t, other))) != 1 {
		t.Error("the wrong entries are left")
	}
}

func TestVariantsAreBounded(t *testing.T) {
	c := open(t)
	for i := range 10 {
		put(t, c, entry(t, "http://a.test/x", fmt.Sprintf("enc %d/../x", i), int64(i)))
	}
	got := c.Get(urlOf(t, entry(t, "http://a.test/x", "", 1)))
	if len(got) != MaxVariants || got[0].Statement.ObservedAt != 9 {
		t.Errorf("%d variants, the newest of %d", len(got), got[0].Statement.ObservedAt)
	}
}

func TestRow31_OnlyTheUserMayRead(t *testing.T) {
	dir := t.TempDir()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, entry(t, "http://a.test/x", "", 5))
	filepath.Walk(filepath.Join(dir, folder), func(path string, info os.FileInfo, err error) error {
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return nil
	})
}

func TestRow47_DamagedFilesCostOneEntry(t *testing.T) {
	c := open(t)
	good, bad := entry(t, "http://a.test/good", "", 5), entry(t, "http://a.test/bad", "", 5)
	put(t, c, good, bad)
	path := c.path(bad.Statement.Key, "")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "half": whole[:len(whole)/2], "two": append(bytes.Clone(whole), whole...), "not JSON": []byte("<html>"),
		"unknown field":   bytes.Replace(whole, []byte(`"url"`), []byte(`"x":1,"url"`), 1),
		"other URL":       bytes.Replace(whole, []byte("a.test/bad"), []byte("a.test/good"), 1),
		"other status":    bytes.Replace(whole, []byte(`"status": 200`), []byte(`"status": 404`), 1),
		"other size":      bytes.Replace(whole, []byte(`"size": 10`), []byte(`"size": 11`), 1),
		"foreign field":   bytes.Replace(whole, []byte(`"Etag"`), []byte(`"Set-Cookie"`), 1),
		"control in name": bytes.Replace(whole, []byte("notary a"), []byte(`notary \u001b[0m`), 1),
		"level":           bytes.Replace(whole, []byte(`"level": "notary"`), []byte(`"level": "holy"`), 1),
		"huge":            append(bytes.Clone(whole), make([]byte, MaxEntryBytes)...),
	} {
		if bytes.Equal(b, whole) {
			t.Fatalf("%s: nothing was damaged", name)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := c.Get(urlOf(t, bad)); len(got) != 0 {
			t.Errorf("%s: read as %+v", name, got)
		}
		errs := 0
		for e, err := range c.All() {
			if err != nil {
				errs++
			} else if e.URL != good.URL {
				t.Errorf("%s: listed", name)
			}
		}
		if errs != 1 || len(c.Get(urlOf(t, good))) != 1 {
			t.Errorf("%s: %d errors", name, errs)
		}
	}
}

func TestRow46_CrashLeavesNoEntry(t *testing.T) {
	c := open(t)
	e := entry(t, "http://a.test/x", "", 5)
	put(t, c, e)
	// What a crash between writing and renaming leaves behind:
	path := c.path(e.Statement.Key, "")
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), tempPrefix+"123")); err != nil {
		t.Fatal(err)
	}
	for range c.All() {
		t.Error("a temporary file was taken for an entry")
	}
	put(t, c, e)
	if len(c.Get(urlOf(t, e))) != 1 {
		t.Error("no entry")
	}
}

func TestSeveralProcessesAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for p := range 4 {
		c, err := Open(dir) // no state is shared, so this is what processes do
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := range 30 {
				e := entry(t, fmt.Sprintf("http://a.test/%d", i%5), "", int64(1+p))
				if err := c.Put(e); err != nil {
					t.Error(err)
				}
				for e, err := range c.All() {
					if err != nil {
						t.Error(err, e)
					}
				}
			}
		})
	}
	wg.Wait()
	c, _ := Open(dir)
	n := 0
	for range c.All() {
		n++
	}
	if n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
}

func TestPutRefusesWhatGetWould(t *testing.T) {
	c := open(t)
	for name, change := range map[string]func(*Entry){
		"other URL":      func(e *Entry) { e.URL = "http://b.test/" },
		"not canonical":  func(e *Entry) { e.URL = "HTTP://a.test/x" },
		"no signature":   func(e *Entry) { e.Statement.Signature = resource.Signature{} },
		"many witnesses": func(e *Entry) { e.Witnesses = make([]string, MaxWitnesses+1) },
		"long witness":   func(e *Entry) { e.Witnesses = []string{strings.Repeat("x", 1000)} },
		"level":          func(e *Entry) { e.Level = 99 },
		"time":           func(e *Entry) { e.StoredAt = -1 },
	} {
		e := entry(t, "http://a.test/x", "", 5)
		change(&e)
		if err := c.Put(e); !errors.Is(err, ErrBadEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailedPutKeepsTheOldEntry(t *testing.T) {
	c := open(t)
	e := entry(t, "http://a.test/x", "", 5)
	put(t, c, e)
	// A file where the shard's folder should be stands for every write that fails.
	other := entry(t, "http://b.test/x", "", 5)
	if err := os.WriteFile(filepath.Dir(c.path(other.Statement.Key, "")), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(other); err == nil {
		t.Error("no error")
	}
	if len(c.Get(urlOf(t, e))) != 1 || len(c.Get(urlOf(t, other))) != 0 {
		t.Error("entries")
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(entry(f, "http://a.test/x", "gzip", 5))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"url":"http://a.test/","level":"any"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrBadEntry) {
				t.Fatalf("%v does not wrap ErrBadEntry", err)
			}
			return
		}
		out, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(out)
		if err != nil || !cmp.Equal(e, again) {
			t.Fatalf("%v\n%+v\n%+v", err, e, again)
		}
	})
}
