package chunker

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

// BenchmarkSplitAndProve measures Build and the proof of every MetaChunk, and as
// "x-sha256" how fast that is as a part of plain SHA-256 of the same bytes. Both
// are taken in turn in the same run, and the best time of each counts: it is the
// one that other work on the machine disturbed least. With one processor the
// part cannot reach 0.5, because every byte is hashed twice.
func BenchmarkSplitAndProve(b *testing.B) {
	for _, size := range []int{1 << 10, 128 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			data := content(size)
			plain, ours := time.Hour, time.Hour
			for b.Loop() {
				start := time.Now()
				sha256.Sum256(data)
				mid := time.Now()
				tree, err := Build(bytes.NewReader(data), int64(size))
				for m := 0; err == nil && m < tree.Header().NumMetaChunks(); m++ {
					_, err = tree.MetaProof(m)
				}
				if err != nil {
					b.Fatal(err)
				}
				plain, ours = min(plain, mid.Sub(start)), min(ours, time.Since(mid))
			}
			mb := float64(size) / 1e6
			b.ReportMetric(mb/ours.Seconds(), "ours-MB/s")
			b.ReportMetric(mb/plain.Seconds(), "sha256-MB/s")
			b.ReportMetric(plain.Seconds()/ours.Seconds(), "x-sha256")
		})
	}
}

// BenchmarkMetaProof measures what one MetaChunk costs at the giver and at the
// reader, without its chunks.
func BenchmarkMetaProof(b *testing.B) {
	full := build(b, content(4<<20)) // 256 MetaChunks, a path of 8
	h := full.Header()
	b.Run("prove", func(b *testing.B) {
		var wire []byte
		for b.Loop() {
			p, err := full.MetaProof(77)
			if err != nil {
				b.Fatal(err)
			}
			wire = p.AppendBinary(wire[:0])
		}
	})
	p, err := full.MetaProof(77)
	if err != nil {
		b.Fatal(err)
	}
	wire := p.AppendBinary(nil)
	b.Run("verify", func(b *testing.B) {
		reader := NewTree(h)
		for b.Loop() {
			p, err := h.ParseMetaProof(77, wire)
			if err == nil {
				err = reader.AddProof(77, p)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkVerifyChunk measures the check every chunk goes through on arrival.
func BenchmarkVerifyChunk(b *testing.B) {
	for _, size := range []int{4 << 20, 8 << 20, 256 << 20} {
		cs := ChunkSize(int64(size))
		b.Run(fmt.Sprintf("%dKiB", cs>>10), func(b *testing.B) {
			data := content(cs)
			want := LeafHash(data)
			b.SetBytes(int64(cs))
			b.ReportAllocs()
			for b.Loop() {
				if LeafHash(data) != want {
					b.Fatal("another leaf")
				}
			}
		})
	}
}
