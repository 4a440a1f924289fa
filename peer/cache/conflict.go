package cache

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nt/internal/resource"
	"nt/peer/trust"
)

const (
	conflictFolder = "conflicts"
	maxConflict    = 2 * MaxEntryBytes
	maxConflicts   = 64
)

// PutConflict keeps two statements by which their witness contradicts itself, as a proof that
// anybody can check, and returns where. The first proof about a witness stays.
func (c *Cache) PutConflict(a, b resource.Statement) (path string, err error) {
	dir := filepath.Join(filepath.Dir(c.dir), conflictFolder)
	path = filepath.Join(dir, a.Witness.String()+suffix)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	text, err := json.MarshalIndent([]resource.Statement{a, b}, "", " ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keeping a proof: %w", err)
	}
	return path, writeFile(path, append(text, '\n'))
}

// Liars returns the witnesses of whom a proof is kept, with its file. Files that prove nothing are
// passed over.
func (c *Cache) Liars() map[resource.WitnessKey]string {
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(c.dir), conflictFolder, "*"+suffix)) // the pattern is well-formed
	out := make(map[resource.WitnessKey]string)
	for _, name := range names[:min(len(names), maxConflicts)] {
		if pair, err := loadConflict(name); err == nil && trust.Equivocates(pair[0], pair[1]) && pair[0].Verify() == nil && pair[1].Verify() == nil {
			out[pair[0].Witness] = name
		}
	}
	return out
}

func loadConflict(name string) (pair [2]resource.Statement, err error) {
	f, err := os.Open(name)
	if err != nil {
		return pair, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConflict))
	if err != nil {
		return pair, err
	}
	return pair, json.Unmarshal(b, &pair)
}
