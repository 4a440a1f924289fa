package publisher

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nt/internal/resource"
)

const origin = "https://example.org"

var now = time.Unix(1_800_000_000, 0)

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) resource.WitnessKey {
	return resource.WitnessKey(testKey(n).Public().(ed25519.PublicKey))
}

// doc is a key document with "scope" by key, signed by its keys and by others.
func doc(sequence int64, keys map[string]byte, signers ...byte) Keys {
	k := Keys{Version: 1, Origin: origin, Sequence: sequence, Expires: now.Add(24 * time.Hour).Unix()}
	for _, scope := range []string{"/", "/blog/", "/blog/old/"} {
		if n, ok := keys[scope]; ok {
			k.Keys = append(k.Keys, Key{Key: public(n), Scope: scope, Manifest: scope + "m.json"})
			signers = append(signers, n)
		}
	}
	for _, n := range signers {
		k = k.Sign(testKey(n))
	}
	return k
}

func one(n byte) map[string]byte { return map[string]byte{"/": n} }

func TestSucceeds(t *testing.T) {
	expired := doc(5, one(1))
	expired.Expires = now.Unix()
	expired = expired.Sign(testKey(1))
	forever := doc(6, one(1))
	forever.Expires = now.Add(MaxLife + time.Hour).Unix()
	forever = forever.Sign(testKey(1))
	foreign := doc(6, one(1))
	foreign.Origin = "https://example.com"
	foreign = foreign.Sign(testKey(1))
	later := doc(5, one(1))
	later.Expires++
	later = later.Sign(testKey(1))
	two := map[string]byte{"/": 1, "/blog/": 2}
	for _, c := range []struct {
		name      string
		was, next Keys
		want      string // part of the error, "" for none
	}{
		{"the first", Keys{}, doc(5, one(1)), ""},
		{"the first, expired", Keys{}, expired, "expired"},
		{"the first, for ever", Keys{}, forever, "does not expire"},
		{"the same again", doc(5, one(1)), doc(5, one(1)), ""},
		{"newer", doc(5, one(1)), doc(6, one(1)), ""},
		{"older", doc(5, one(1)), doc(4, one(1)), "older than 5"},
		{"the same number twice", doc(5, one(1)), later, "two key documents"},
		{"of another site", doc(5, one(1)), foreign, "example.com"},
		{"another key", doc(5, one(1)), doc(6, one(2)), "no old key"},
		{"another key, signed by the old one", doc(5, one(1)), doc(6, one(2), 1), ""},
		{"another key, signed by a stranger", doc(5, one(1)), doc(6, one(2), 3), "no old key"},
		{"two changes at once, signed by both", doc(5, one(1)), doc(7, one(3), 2, 1), ""},
		{"the known one has expired", expired, doc(1, one(2)), ""},
		{"a part gets a key of its own", doc(5, one(1)), doc(6, two), ""},
		{"a part gets a key of its own, the whole another one", doc(5, one(1)), doc(6, map[string]byte{"/": 3, "/blog/": 1}), ""},
		{"a part loses its key", doc(5, two), doc(6, one(1)), "the keys for /blog/"},
		{"a part loses its key and agrees", doc(5, two), doc(6, one(1), 2), ""},
		{"a part below a part", doc(5, two), doc(6, map[string]byte{"/": 1, "/blog/": 2, "/blog/old/": 3}), ""},
	} {
		err := c.was.Succeeds(c.next, now)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && !strings.Contains(got, c.want) || err != nil && !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A new scope below a known one takes paths away from the known key only if that signs.
func TestAScopeIsNotTakenAway(t *testing.T) {
	next := doc(6, map[string]byte{"/": 1, "/blog/": 2})
	next.Signatures = next.Signatures[1:] // key 1 is still listed; it must have signed
	if err := next.check(); err == nil {
		t.Error("a listed key that has not signed passes")
	}
}

func TestCovering(t *testing.T) {
	k := doc(1, map[string]byte{"/": 1, "/blog/": 2})
	for path, want := range map[string]byte{"/": 1, "/blog": 1, "/blog/": 2, "/blog/x": 2, "/blogs/": 1} {
		if got := k.Covering(path); len(got) != 1 || got[0].Key != public(want) {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := doc(1, map[string]byte{"/blog/": 2}).Covering("/x"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestBadKeyDocuments(t *testing.T) {
	good, err := doc(5, one(1)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if k, err := ParseKeys(good); err != nil || k.Sequence != 5 {
		t.Fatal(err)
	}
	for name, change := range map[string]func(map[string]any){
		"version":       func(m map[string]any) { m["version"] = 2 },
		"http":          func(m map[string]any) { m["origin"] = "http://example.org" },
		"origin path":   func(m map[string]any) { m["origin"] = "https://example.org/a" },
		"sequence":      func(m map[string]any) { m["sequence"] = 6 },
		"zero sequence": func(m map[string]any) { m["sequence"] = 0 },
		"expires":       func(m map[string]any) { m["expires"] = now.Unix() },
		"no keys":       func(m map[string]any) { m["keys"] = []any{} },
		"unknown field": func(m map[string]any) { m["more"] = 1 },
		"many keys":     func(m map[string]any) { m["keys"] = make([]any, maxKeys+1) },
		"scope":         func(m map[string]any) { m["keys"].([]any)[0].(map[string]any)["scope"] = "/a" },
		"dots":          func(m map[string]any) { m["keys"].([]any)[0].(map[string]any)["scope"] = "/a/../" },
		"manifest":      func(m map[string]any) { m["keys"].([]any)[0].(map[string]any)["manifest"] = "//evil.example/m" },
		"host":          func(m map[string]any) { m["keys"].([]any)[0].(map[string]any)["manifest"] = ".evil.example/m" },
		"no signature":  func(m map[string]any) { m["signatures"] = []any{} },
	} {
		var m map[string]any
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		b, _ := json.Marshal(m)
		if _, err := ParseKeys(b); !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("{}"), []byte("<html>"), append(good, '{'), bytes.Repeat([]byte(" "), MaxKeysBytes+1)} {
		if _, err := ParseKeys(b); !errors.Is(err, ErrBad) {
			t.Errorf("%.20q: %v", b, err)
		}
	}
}

func TestPathsStayAtTheSite(t *testing.T) {
	for path, ok := range map[string]bool{"/a": true, "/a?b": true, "/": true, ".evil.example/m": false, "@evil.example/": false, ":8443/": false, "": false, "a": false, "/a/../b": false, "/a#b": false, "/%7e": false} {
		if _, err := checkPath(origin, path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func statements(paths ...string) map[string]resource.Statement {
	out := map[string]resource.Statement{}
	for i, p := range paths {
		u, err := resource.ParseURL(origin + p)
		if err != nil {
			panic(err)
		}
		out[p] = resource.Statement{Key: u.Key(), Object: [32]byte{byte(i)}, Size: int64(i), Status: 200, ObservedAt: now.Unix(), Header: http.Header{"Content-Type": {"text/html"}}}
	}
	return out
}

func testManifest(t testing.TB, sequence int64, n byte, paths ...string) Manifest {
	t.Helper()
	m, err := NewManifest(origin, "/", sequence, now.Add(time.Hour), statements(paths...), testKey(n))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManifest(t *testing.T) {
	b, err := testManifest(t, 7, 1, "/b", "/", "/a?x=1").Encode()
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/b", "/a?x=1"} {
		u, _ := resource.ParseURL(origin + path)
		if s, ok := m.Statement(u); !ok || s.Verify() != nil || s.Witness != public(1) {
			t.Errorf("%s: %v %v", path, ok, s.Verify())
		}
	}
	if u, _ := resource.ParseURL(origin + "/a"); !u.IsZero() {
		if _, ok := m.Statement(u); ok {
			t.Error("/a is listed")
		}
	}
	k := doc(5, one(1))
	late := m
	late.Expires = now.Unix()
	for _, c := range []struct {
		name     string
		keys     Keys
		m        Manifest
		sequence int64
		want     string
	}{
		{"the same", k, m, 7, ""}, {"newer", k, m, 6, ""}, {"older", k, m, 8, "older than 8"}, {"expired", k, late, 7, "expired"},
		{"another key", doc(5, one(2)), m, 7, "does not speak for"},
		{"another scope", doc(5, map[string]byte{"/blog/": 1}), m, 7, "does not speak for"},
	} {
		if err := c.keys.Accepts(c.m, c.sequence, now); c.want == "" && err != nil || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// No byte of a manifest that means anything can be changed.
func TestManifestIsSigned(t *testing.T) {
	m := testManifest(t, 7, 1, "/a", "/b")
	for name, change := range map[string]func(*Manifest){
		"origin":   func(m *Manifest) { m.Origin = "https://example.com" },
		"scope":    func(m *Manifest) { m.Scope = "/a/" },
		"sequence": func(m *Manifest) { m.Sequence++ },
		"expires":  func(m *Manifest) { m.Expires++ },
		"fewer":    func(m *Manifest) { m.Entries = m.Entries[:1] },
		"swapped": func(m *Manifest) {
			m.Entries[0].Signature, m.Entries[1].Signature = m.Entries[1].Signature, m.Entries[0].Signature
		},
		"key":          func(m *Manifest) { m.Key = public(2) },
		"order":        func(m *Manifest) { m.Entries[0], m.Entries[1] = m.Entries[1], m.Entries[0] },
		"not the path": func(m *Manifest) { m.Entries[0].Path = "/A/../a" },
	} {
		forged := m
		forged.Entries = append(Entries(nil), m.Entries...)
		change(&forged)
		if err := forged.check(); !errors.Is(err, ErrBad) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	forged := m
	forged.Entries = append(Entries(nil), m.Entries...)
	forged.Entries[0].Object[5]++
	u, _ := resource.ParseURL(origin + "/a")
	if s, _ := forged.Statement(u); s.Verify() == nil {
		t.Error("an object can be exchanged")
	}
	if _, err := NewManifest(origin, "/blog/", 1, now, statements("/a"), testKey(1)); err == nil {
		t.Error("a path outside of the scope is listed")
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(origin)
	if err != nil || r.Keys != nil || !r.Due(now) {
		t.Fatalf("%+v, %v", r, err)
	}
	k := doc(5, one(1))
	r.Keys, r.CheckedAt, r.Sequences = &k, now.Unix(), map[string]int64{"/": 7}
	body, _ := testManifest(t, 7, 1, "/").Encode()
	m, _ := ParseManifest(body)
	if err := errors.Join(s.Put(r), s.PutManifest(m, body), s.Put(Record{Origin: "https://none.example", CheckedAt: now.Unix()})); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(origin)
	if known, ok := got.Known(now); err != nil || !ok || known.Sequence != 5 || got.Sequences["/"] != 7 || got.Due(now.Add(time.Hour)) || !got.Due(now.Add(Again)) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, ok := got.Known(now.Add(48 * time.Hour)); ok {
		t.Error("an expired document binds")
	}
	if kept, b, err := s.Manifest(origin, "/"); err != nil || kept.Sequence != 7 || !bytes.Equal(b, body) {
		t.Error(err)
	}
	if all, err := s.All(); err != nil || len(all) != 1 || all[0].Origin != origin {
		t.Errorf("%v, %v", all, err)
	}
	fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if info, err := d.Info(); err == nil && name != "." && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
		return nil
	})
	if known, err := s.Forget(origin); err != nil || !known {
		t.Error(known, err)
	}
	if known, err := s.Forget(origin); err != nil || known {
		t.Error(known, err)
	}
	if _, _, err := s.Manifest(origin, "/"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Who can damage the file must not make the key forgotten.
func TestDamagedRecordIsAnError(t *testing.T) {
	dir := t.TempDir()
	s, _ := Open(dir)
	k := doc(5, one(1))
	if err := s.Put(Record{Origin: origin, Keys: &k}); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, folder, "site-*"))
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) {
		damaged := bytes.Clone(b)
		damaged[i] ^= 4
		os.WriteFile(names[0], damaged, 0o600)
		got, err := s.Get(origin)
		if err == nil && (got.Keys == nil || string(got.Keys.message()) != string(k.message())) {
			t.Fatalf("byte %d: %+v", i, got)
		}
	}
}

func FuzzKeys(f *testing.F) {
	b, _ := doc(5, map[string]byte{"/": 1, "/blog/": 2}, 3).Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeys(b)
		if err != nil {
			if !errors.Is(err, ErrBad) {
				t.Fatal(err)
			}
			return
		}
		k.Succeeds(k, now)
		again, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if k2, err := ParseKeys(again); err == nil && string(k2.message()) != string(k.message()) {
			t.Fatal("another document")
		}
	})
}

func FuzzManifest(f *testing.F) {
	b, _ := testManifest(f, 7, 1, "/", "/a?b", "/c").Encode()
	f.Add(b)
	u, _ := resource.ParseURL(origin + "/c")
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			if !errors.Is(err, ErrBad) {
				t.Fatal(err)
			}
			return
		}
		s, _ := m.Statement(u)
		_ = s.Verify()
		if m.Key == public(1) && m.Sequence != 7 {
			t.Fatal("a forged manifest")
		}
	})
}
