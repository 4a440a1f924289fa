package modes

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A key file is one line: "nt-ed25519 " and the 32-byte seed in hexadecimal.
const keyPrefix = "nt-ed25519 "

// identity returns the key at name in the state directory, made on first use.
// Processes that make it at the same time end up with the same key.
func (e environ) identity(name string) (ed25519.PrivateKey, error) {
	dir, err := e.stateDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	if _, err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKey(path)
}

// nodeIdentity returns the key of the node that keeps its content in cache. A node
// is its cache: processes that share one are the same node to others, and two
// nodes of one user are not.
func (e environ) nodeIdentity(cache string) (ed25519.PrivateKey, error) {
	if usual, err := e.cacheDir(); err == nil && usual == cache {
		return e.identity("identity.key")
	}
	sum := sha256.Sum256([]byte(cache))
	return e.identity("identity-" + hex.EncodeToString(sum[:8]) + ".key")
}

// createKey makes a key and its file, complete or not at all. It wraps
// fs.ErrExist if there is one.
func createKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".nt-key-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("writing a key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(keyPrefix + hex.EncodeToString(key.Seed()) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // unlike a rename, never over another's key
	}
	if err != nil {
		return nil, fmt.Errorf("writing a key: %w", err)
	}
	return key, nil
}

// readKey reads a key file.
func readKey(path string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), keyPrefix)
	seed, err := hex.DecodeString(text)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, &fault{ExitFile, fmt.Errorf("%s is not a key file of nt", path), "nt keygen FILE makes one"}
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// keyHex returns the public half in hexadecimal, as --tracker ADDR#KEY takes it.
func keyHex(key ed25519.PrivateKey) string {
	return hex.EncodeToString(key.Public().(ed25519.PublicKey))
}
