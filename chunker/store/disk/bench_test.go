package disk

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nt/chunker/store"
	"nt/chunker/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Store {
		s, err := Open(b.TempDir(), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		return s
	})
}

// BenchmarkPlain is what the store is compared with: the same bytes as one plain
// file, hashed once with SHA-256. Nothing is synced.
func BenchmarkPlain(b *testing.B) {
	for _, size := range []int{16 << 10, 1 << 20, 16 << 20} {
		c := storetest.Make(b, 1, size)
		name := filepath.Join(b.TempDir(), "plain")
		b.Run(fmt.Sprintf("put/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(c.Size)
			for b.Loop() {
				sha256.Sum256(c.Bytes)
				if err := os.WriteFile(name, c.Bytes, 0o600); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				os.Remove(name)
				b.StartTimer()
			}
		})
		b.Run(fmt.Sprintf("get/%dKiB", size>>10), func(b *testing.B) {
			if err := os.WriteFile(name, c.Bytes, 0o600); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(c.Size)
			for b.Loop() {
				got, err := os.ReadFile(name)
				if err != nil {
					b.Fatal(err)
				}
				sha256.Sum256(got)
			}
		})
	}
}
