package cache

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nt/internal/resource"
)

// Integrity is what a page said of something it loads (Subresource Integrity).
type Integrity struct {
	Algorithm string `json:"algorithm"` // "sha256", "sha384" or "sha512"
	Sum       []byte `json:"sum"`
	Page      string `json:"page"`        // canonical URL
	SeenAt    int64  `json:"observed_at"` // when the page was seen, Unix seconds
}

const (
	integrityFolder = "integrity"
	maxIntegrity    = resourceURLBytes + 512
	// resourceURLBytes bounds a page's URL in JSON, where a byte may take six.
	resourceURLBytes = 6 * resource.MaxURL
)

// integritySizes are the algorithms, the weakest first, and their sizes in bytes.
var integritySizes = []struct {
	name string
	size int
}{{"sha256", 32}, {"sha384", 48}, {"sha512", 64}}

// ParseIntegrity reads an integrity attribute: of the strongest algorithm in it, the first hash. A
// browser would take any hash of the strongest one; who lists several gets one. ok is
// false if there is none that is known.
func ParseIntegrity(attribute string) (in Integrity, ok bool) {
	best := -1
	for _, word := range strings.Fields(attribute) {
		word, _, _ = strings.Cut(word, "?")
		name, text, _ := strings.Cut(word, "-")
		for i, a := range integritySizes {
			sum, err := base64.StdEncoding.DecodeString(text)
			if strings.EqualFold(name, a.name) && err == nil && len(sum) == a.size && i > best {
				best, in, ok = i, Integrity{Algorithm: a.name, Sum: sum}, true
			}
		}
	}
	return in, ok
}

func (c *Cache) integrityPath(key resource.Key) string {
	k := key.String()
	return filepath.Join(filepath.Dir(c.dir), integrityFolder, k[:2], k+suffix)
}

// PutIntegrity remembers what a page said of a resource, in place of what an earlier one said.
func (c *Cache) PutIntegrity(key resource.Key, in Integrity) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	path := c.integrityPath(key)
	if old, err := c.integrity(path); err == nil && old.SeenAt > in.SeenAt {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("remembering a page's hashes: %w", err)
	}
	return writeFile(path, b)
}

// GetIntegrity returns what a page said of a resource last.
func (c *Cache) GetIntegrity(key resource.Key) (Integrity, bool) {
	in, err := c.integrity(c.integrityPath(key))
	return in, err == nil
}

func (c *Cache) integrity(path string) (in Integrity, err error) {
	f, err := os.Open(path)
	if err != nil {
		return in, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIntegrity))
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	for _, a := range integritySizes {
		if err == nil && a.name == in.Algorithm && a.size == len(in.Sum) {
			return in, nil
		}
	}
	return in, errors.Join(err, ErrBadEntry)
}

// RemoveIntegrity forgets what pages said of a resource, and what it said of others.
func (c *Cache) RemoveIntegrity(u resource.URL) error {
	names, err := filepath.Glob(filepath.Join(filepath.Dir(c.dir), integrityFolder, "*", "*"+suffix))
	if err != nil {
		return err
	}
	own := c.integrityPath(u.Key())
	for _, name := range names {
		if in, err := c.integrity(name); name == own || err == nil && in.Page == u.String() {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("forgetting hashes: %w", err)
			}
		}
	}
	return nil
}
