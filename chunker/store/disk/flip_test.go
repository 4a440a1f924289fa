package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/storetest"
	"nt/transport"
)

// flip turns one bit of a file over.
func flip(t *testing.T, name string, bit int64) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// readAll reads every chunk of the object, checks each, and counts those that
// were refused as damaged and those that are not there.
func readAll(t *testing.T, s store.Store, c storetest.Content) (damaged, missing int) {
	t.Helper()
	obj, err := s.OpenObject(c.ID)
	if errors.Is(err, transport.ErrNotFound) {
		return 0, c.NumChunks()
	} else if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	for i := range c.NumChunks() {
		got, err := obj.ReadChunk(i, nil)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			damaged++
			if obj.Have().Contains(uint32(i)) || obj.Complete() {
				t.Fatalf("chunk %d is damaged and was not dropped", i)
			}
		case errors.Is(err, transport.ErrNotFound):
			missing++
		case err != nil:
			t.Fatal(err)
		case !bytes.Equal(got, c.Chunk(i)):
			t.Fatalf("chunk %d: wrong bytes came out", i)
		}
	}
	return damaged, missing
}

func TestRow47_FlippedBitsNeverComeOut(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	whole, part := storetest.Make(t, 1, 40<<10+1), storetest.Make(t, 2, 40<<10)
	s := openStore(t, dir, store.Options{})
	storetest.Put(t, s, whole)
	putSome(t, s, part, 35)
	closeStore(t, s)
	for _, f := range []struct {
		name string
		step int64 // bits
	}{{dataName, 1000}, {proofsName, 1000}, {headerName, 40}} {
		for _, c := range []storetest.Content{whole, part} {
			flipAll(t, dir, filepath.Join(dir, filepath.FromSlash(objectPath(c.ID)), f.name), f.step, c)
		}
	}
}

func flipAll(t *testing.T, dir, name string, step int64, c storetest.Content) {
	t.Helper()
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	hurt := 0
	for bit := int64(7); bit < 8*st.Size(); bit += step {
		flip(t, name, bit)
		s := openStore(t, dir, store.Options{})
		damaged, missing := readAll(t, s, c)
		if again, _ := readAll(t, s, c); again != 0 {
			t.Fatalf("%d damaged chunks were not dropped at the first read", again)
		}
		if damaged+missing > 0 {
			hurt++
		}
		putSome(t, s, c, c.NumChunks()) // fetched again, it is whole again
		storetest.Check(t, s, c)
		closeStore(t, s)
	}
	if hurt == 0 {
		t.Errorf("%s: no flip was noticed", name)
	}
}

// TestRow47_DamageWhileOpen damages what is open and finished.
func TestRow47_DamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	c := storetest.Make(t, 1, 40<<10)
	s := openStore(t, dir, store.Options{})
	storetest.Put(t, s, c)
	obj, err := s.OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	object := filepath.Join(dir, filepath.FromSlash(objectPath(c.ID)))
	flip(t, filepath.Join(object, dataName), 8*5000)
	if damaged, missing := readAll(t, s, c); damaged != 1 || missing != 0 {
		t.Errorf("%d chunks damaged, %d missing, want 1 and 0", damaged, missing)
	}
	if _, err := os.Stat(filepath.Join(object, doneName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a damaged object still counts as finished on the disk: %v", err)
	}
	if err := obj.Put(4, c.Chunk(4)); err != nil || !obj.Complete() {
		t.Errorf("the damaged chunk was put again: complete %v, %v", obj.Complete(), err)
	}
	if err := os.Truncate(filepath.Join(object, dataName), 10_000); err != nil {
		t.Fatal(err)
	}
	if damaged, _ := readAll(t, s, c); damaged != 31 {
		t.Errorf("30.5 of 40 chunks were cut off, %d were dropped", damaged)
	}
	closeStore(t, s)
}

func FuzzReadHeader(f *testing.F) {
	c := storetest.Make(f, 1, 5000)
	f.Add(c.Header.AppendBinary(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		v := below{t.TempDir()}
		if err := os.WriteFile(v.at(headerName), b, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := readHeader(v, ".", c.ID)
		if err == nil && h != c.Header || err != nil && !errors.Is(err, chunker.ErrBadHeader) {
			t.Errorf("%x: %+v, %v", b, h, err)
		}
	})
}

// TestRow47_ReaderStopsBeforeDamage reads in order: what stands before the damage
// comes out, then the error, and after the chunk was fetched again the rest.
func TestRow47_ReaderStopsBeforeDamage(t *testing.T) {
	dir := t.TempDir()
	c := storetest.Make(t, 1, 40<<10)
	s := openStore(t, dir, store.Options{})
	storetest.Put(t, s, c)
	data := filepath.Join(dir, filepath.FromSlash(objectPath(c.ID)), dataName)
	for _, bad := range []int{0, 5, 15, 16, 39} {
		obj, err := s.OpenObject(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		flip(t, data, 8*(c.ChunkOffset(bad)+100))
		r := store.NewReader(context.Background(), obj, 0)
		head, err := io.ReadAll(r)
		if !errors.Is(err, store.ErrCorrupt) || !bytes.Equal(head, c.Bytes[:c.ChunkOffset(bad)]) {
			t.Errorf("chunk %d is damaged: read %d bytes: %v", bad, len(head), err)
		}
		if err := obj.Put(bad, c.Chunk(bad)); err != nil {
			t.Fatal(err)
		}
		tail, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(append(head, tail...), c.Bytes) {
			t.Errorf("chunk %d was fetched again: read %d bytes more: %v", bad, len(tail), err)
		}
		if err := obj.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRow47_PartialObjectIsHashedWhenOpened damages a chunk of a partial object
// while nobody has it open: it must not count as there.
func TestRow47_PartialObjectIsHashedWhenOpened(t *testing.T) {
	dir := t.TempDir()
	c := storetest.Make(t, 1, 40<<10)
	s := openStore(t, dir, store.Options{})
	putSome(t, s, c, 30)
	flip(t, filepath.Join(dir, filepath.FromSlash(objectPath(c.ID)), dataName), 8*5000)
	obj, err := openStore(t, dir, store.Options{}).OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	if have := obj.Have(); have.Count() != 29 || have.Contains(4) {
		t.Errorf("%d of 29 good chunks count as there, the damaged one: %v", have.Count(), have.Contains(4))
	}
}
