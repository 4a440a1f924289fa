package modes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nt/internal/resource"
)

// notaryMemory is a directory with a file per tracker: the key by which it was a
// notary when it was first asked. "" remembers nothing.
type notaryMemory string

const notaryLine = "nt-notary "

func (m notaryMemory) path(tracker string) string {
	sum := sha256.Sum256([]byte(tracker))
	return filepath.Join(string(m), hex.EncodeToString(sum[:8]))
}

// check compares key with the remembered one, or remembers it if it is the first.
// Another key is a *changedKeyError.
func (m notaryMemory) check(tracker string, key resource.WitnessKey) error {
	if m == "" {
		return nil
	}
	was, err := m.read(tracker)
	if errors.Is(err, fs.ErrNotExist) {
		if err = m.write(tracker, key, os.Link); errors.Is(err, fs.ErrExist) { // another process was first
			err = nil
		}
		if err == nil {
			was, err = m.read(tracker)
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("remembering the notary %s: %w", tracker, err)
	case was != key:
		return &changedKeyError{tracker, was, key}
	}
	return nil
}

// replace remembers the key that the user names.
func (m notaryMemory) replace(tracker string, key resource.WitnessKey) error {
	if m == "" {
		return nil
	}
	if was, err := m.read(tracker); err == nil && was == key {
		return nil
	}
	return m.write(tracker, key, os.Rename)
}

func (m notaryMemory) read(tracker string) (key resource.WitnessKey, err error) {
	b, err := os.ReadFile(m.path(tracker))
	if err != nil {
		return key, err
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), notaryLine+tracker+" ")
	if !ok {
		return key, fmt.Errorf("%s is not the key of a notary", m.path(tracker))
	}
	return key, key.UnmarshalText([]byte(text))
}

// write makes the file whole, and puts it in place by link (never over another) or rename.
func (m notaryMemory) write(tracker string, key resource.WitnessKey, place func(from, to string) error) error {
	if err := os.MkdirAll(string(m), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(m), ".tmp-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%s%s %s\n", notaryLine, tracker, key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return place(f.Name(), m.path(tracker))
}
