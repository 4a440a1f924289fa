package memory_test

import (
	"testing"

	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/chunker/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o store.Options) store.Store {
		s := memory.New(o)
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(*testing.B) store.Store { return memory.New(store.Options{}) })
}
