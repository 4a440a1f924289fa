package publisher

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// FirstLook and Again are how long an answer of a site holds: that it has no key
	// document, and which one it has.
	FirstLook = 7 * 24 * time.Hour
	Again     = 24 * time.Hour

	folder     = "publishers"
	suffix     = ".json"
	temp       = ".tmp-"
	maxRecord  = MaxKeysBytes*2 + 64<<10
	maxRecords = 10_000 // files of sites without keys go first
)

// Record is what a cache knows of one site.
type Record struct {
	Origin    string `json:"origin"`
	CheckedAt int64  `json:"checked_at"` // when the site was last asked, Unix seconds
	// Keys is its document, nil if it had none.
	Keys *Keys `json:"keys,omitempty"`
	// Sequences are the numbers of the newest manifests seen, by scope.
	Sequences map[string]int64 `json:"sequences,omitempty"`
	// Refused says why the newest document shown was not taken, "" if it was.
	Refused string `json:"refused,omitempty"`
}

// Known returns the keys that bind at now; false if none do.
func (r Record) Known(now time.Time) (Keys, bool) {
	if r.Keys == nil || r.Keys.Expired(now) {
		return Keys{}, false
	}
	return *r.Keys, true
}

// Due reports whether the site may be asked again at now.
func (r Record) Due(now time.Time) bool {
	hold := Again
	if r.Keys == nil && r.Refused == "" {
		hold = FirstLook
	}
	return now.Unix() >= r.CheckedAt+int64(hold/time.Second) || now.Unix() < r.CheckedAt
}

// Store remembers Records and manifests in a directory that only the user can read. Several
// processes may use it at once: files are replaced whole.
type Store struct{ dir string }

// Open returns the store below a cache's directory, which it creates.
func Open(cache string) (*Store, error) {
	s := &Store{dir: filepath.Join(cache, folder)}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening what is known of publishers: %w", err)
	}
	return s, nil
}

func (s *Store) path(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return filepath.Join(s.dir, kind+"-"+hex.EncodeToString(sum[:16])+suffix)
}

// Get returns what is known of a site; the zero Record for nothing. A file that is damaged is an
// error: who could make it unreadable must not make us forget a key.
func (s *Store) Get(origin string) (Record, error) {
	b, err := read(s.path("site", origin), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{Origin: origin}, nil
	}
	var r Record
	if err == nil {
		err = decode(b, maxRecord, &r)
	}
	if err == nil && r.Keys != nil {
		err = r.Keys.check()
	}
	if err == nil && r.Origin != origin {
		err = badf("it is of %.100q", r.Origin)
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading what is known of the publisher %s: %w", origin, err)
	}
	return r, nil
}

// Put remembers a site.
func (s *Store) Put(r Record) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if r.Keys == nil {
		s.trim()
	}
	return s.write(s.path("site", r.Origin), b)
}

// Forget forgets a site with its manifests and reports whether it was known.
func (s *Store) Forget(origin string) (bool, error) {
	r, err := s.Get(origin)
	if err == nil && r.Keys != nil {
		for _, k := range r.Keys.Keys {
			os.Remove(s.path("manifest", origin+k.Scope))
		}
	}
	err = os.Remove(s.path("site", origin))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// All returns every site of which keys are known, by origin.
func (s *Store) All() ([]Record, error) {
	names, err := s.sites()
	var out []Record
	for _, name := range names {
		b, err := read(name, maxRecord)
		var r Record
		if err == nil && decode(b, maxRecord, &r) == nil && r.Keys != nil {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.Origin, b.Origin) })
	return out, err
}

func (s *Store) sites() ([]string, error) {
	return filepath.Glob(filepath.Join(s.dir, "site-*"+suffix))
}

// trim makes room: sites without keys can be asked again.
func (s *Store) trim() {
	names, err := s.sites()
	if err != nil || len(names) < maxRecords {
		return
	}
	for _, name := range names {
		b, err := read(name, maxRecord)
		var r Record
		if err == nil && decode(b, maxRecord, &r) == nil && r.Keys == nil {
			os.Remove(name)
		}
	}
}

// Manifest returns the newest manifest of a scope that was kept, and its bytes; the error
// wraps fs.ErrNotExist if there is none.
func (s *Store) Manifest(origin, scope string) (m Manifest, body []byte, err error) {
	if body, err = read(s.path("manifest", origin+scope), MaxManifestBytes); err != nil {
		return m, nil, err
	}
	m, err = ParseManifest(body)
	return m, body, err
}

// PutManifest keeps a manifest that was accepted, as it came.
func (s *Store) PutManifest(m Manifest, body []byte) error {
	return s.write(s.path("manifest", m.Origin+m.Scope), body)
}

func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// write puts a file in place whole, flushed, for the user alone.
func (s *Store) write(path string, b []byte) error {
	f, err := os.CreateTemp(s.dir, temp+"*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
