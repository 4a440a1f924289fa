package storetest

import (
	"context"
	"fmt"
	"io"
	"testing"

	"nt/chunker/store"
)

// Bench measures the door in, the spool, and verified reading, in bytes of content.
func Bench(b *testing.B, open func(b *testing.B) store.Store) {
	for _, size := range []int{16 << 10, 1 << 20, 16 << 20} {
		c := Make(b, 1, size)
		b.Run(fmt.Sprintf("put/%dKiB", size>>10), func(b *testing.B) {
			s := open(b)
			b.SetBytes(c.Size)
			for b.Loop() {
				Put(b, s, c)
				b.StopTimer()
				removed(b, s, c)
				b.StartTimer()
			}
		})
		b.Run(fmt.Sprintf("spool/%dKiB", size>>10), func(b *testing.B) {
			s := open(b)
			b.SetBytes(c.Size)
			for b.Loop() {
				spoolWhole(b, s, c)
				b.StopTimer()
				removed(b, s, c)
				b.StartTimer()
			}
		})
		b.Run(fmt.Sprintf("get/%dKiB", size>>10), func(b *testing.B) {
			s := open(b)
			Put(b, s, c)
			b.SetBytes(c.Size)
			for b.Loop() {
				readWhole(b, s, c)
			}
		})
	}
}

func removed(b *testing.B, s store.Store, c Content) {
	if err := s.Remove(c.ID); err != nil {
		b.Fatal(err)
	}
}

func spoolWhole(b *testing.B, s store.Store, c Content) {
	sp, err := s.Spool(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	for rest := c.Bytes; len(rest) > 0; {
		n, err := sp.Write(rest[:min(len(rest), 32<<10)])
		if err != nil {
			b.Fatal(err)
		}
		rest = rest[n:]
	}
	if _, err := sp.Commit(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func readWhole(b *testing.B, s store.Store, c Content) {
	obj, err := s.OpenObject(c.ID)
	if err != nil {
		b.Fatal(err)
	}
	defer obj.Close()
	if n, err := io.Copy(io.Discard, store.NewReader(context.Background(), obj, 0)); err != nil || n != c.Size {
		b.Fatalf("%d bytes: %v", n, err)
	}
}
