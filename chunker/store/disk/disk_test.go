package disk

import (
	"testing"

	"nt/chunker/store"
	"nt/chunker/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o store.Options) store.Store {
		return openStore(t, t.TempDir(), o)
	})
}

// openStore opens a store that is closed when the test ends.
func openStore(t *testing.T, dir string, o store.Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
