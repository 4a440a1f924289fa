package bittorrent

import (
	"bytes"
	"crypto/sha1"
	"strings"
	"testing"

	"github.com/anacrolix/torrent/metainfo"
	"pgregory.net/rapid"

	"nt/chunker"
)

func hintOf(t testing.TB, data []byte) *hint {
	t.Helper()
	tree, err := chunker.Build(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	h, p := tree.Header(), newPieceHasher(int64(len(data)))
	for i := range h.NumChunks() {
		p.chunk(data[h.ChunkOffset(i):][:h.ChunkLen(i)])
	}
	return newHint(h.ID(), h, p.sum())
}

// TestInfohashes pins what must never change: nodes of different ages meet in the
// same swarm.
func TestInfohashes(t *testing.T) {
	for size, want := range map[int]string{
		1:       "4d977d874abf151a60dccdc1056bf1162ac2b739",
		4096:    "37dbbe2a077fa5661eacea06a3dca71b7a056761",
		4097:    "fdf5c83fb3953d266c7b204f2545a4e1398124ba",
		5 << 20: "413d4e6bcaa4cb666179250c9a6e6565bf850d71",
	} {
		if got := hintOf(t, []byte(strings.Repeat("nt", size))[:size]).infohash.String(); got != want {
			t.Errorf("the swarm of %d bytes is %s, want %s", size, got, want)
		}
	}
}

// TestInfoIsBitTorrents: an ordinary parser reads the dictionary as meant, and
// its hashes are those of the content.
func TestInfoIsBitTorrents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data := bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, rapid.IntRange(1, 20_000).Draw(rt, "size"))
		nt := hintOf(t, data)
		doc := append(nt.header.AppendBinary(nil), nt.pieces...)
		file, err := Torrent(bytes.NewReader(doc), nt.id, "http://tracker.example/announce")
		if err != nil {
			rt.Fatal(err)
		}
		mi, err := metainfo.Load(bytes.NewReader(file))
		if err != nil {
			rt.Fatal(err)
		}
		info, err := mi.UnmarshalInfo()
		if err != nil {
			rt.Fatal(err)
		}
		if info.Name != nt.id.String() || info.Length != int64(len(data)) || info.PieceLength != minPieceLength || info.Private == nil || !*info.Private {
			rt.Fatalf("the dictionary says %+v", info)
		}
		if infohash(mi.HashInfoBytes()) != nt.infohash || mi.Announce != "http://tracker.example/announce" {
			rt.Fatal("the file names another swarm or tracker")
		}
		for i := range info.NumPieces() {
			piece := data[i*minPieceLength : min((i+1)*minPieceLength, len(data))]
			if sum := sha1.Sum(piece); !bytes.Equal(info.Pieces[i*20:][:20], sum[:]) {
				rt.Fatalf("piece %d has another hash", i)
			}
		}
	})
}

func TestTorrentRefusesForeignHints(t *testing.T) {
	a, b := hintOf(t, []byte("a")), hintOf(t, []byte("b"))
	doc := append(a.header.AppendBinary(nil), a.pieces...)
	if _, err := Torrent(bytes.NewReader(doc), b.id, "x"); err == nil {
		t.Error("the hint of another object was taken")
	}
	for n := range doc {
		if _, err := Torrent(bytes.NewReader(doc[:n]), a.id, "x"); err == nil {
			t.Errorf("a hint of %d bytes was taken", n)
		}
	}
}

// TestGeometry: pieces are bounded in number, hold whole chunks, and blocks too.
func TestGeometry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := chunker.Header{Size: rapid.Int64Range(1, chunker.MaxObjectSize).Draw(t, "size")}
		pl, cs, block := pieceLength(h.Size), int64(h.ChunkSize()), requestSize(h)
		if n := numPieces(h.Size); n < 1 || n > maxPieces || int64(n-1)*pl >= h.Size || int64(n)*pl < h.Size {
			t.Fatalf("%d pieces of %d bytes for %d", n, pl, h.Size)
		}
		if pl%cs != 0 || block%cs != 0 || pl%block != 0 || block > maxBlock {
			t.Fatalf("chunks of %d, blocks of %d, pieces of %d bytes", cs, block, pl)
		}
	})
}
