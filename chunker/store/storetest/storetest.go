// Package storetest is the suite that every store.Store must pass. It knows the
// seam and nothing of any store; what only one store promises is tested there.
package storetest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/store"
)

// Opener returns a new, empty store that is closed when the test ends.
type Opener func(t *testing.T, o store.Options) store.Store

// Run runs the whole suite.
func Run(t *testing.T, open Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"PutGet", testPutGet},
		{"TestRow01_OnlyProvedChunksGetIn", testDoor},
		{"NoTraceOfNothing", testNoTrace},
		{"Partial", testPartial},
		{"Wait", testWait},
		{"Closed", testClosed},
		{"ReaderOrder", testReaderOrder},
		{"ReaderSeek", testReaderSeek},
		{"ReaderCancel", testReaderCancel},
		{"List", testList},
		{"Remove", testRemove},
		{"EvictionOrder", testEvictionOrder},
		{"InUseAndPinnedStay", testInUseAndPinnedStay},
		{"Budget", testBudget},
		{"SpoolFollow", testSpoolFollow},
		{"SpoolCommit", testSpoolCommit},
		{"SpoolCommitTwice", testSpoolCommitTwice},
		{"SpoolCommitOverPartial", testSpoolCommitOverPartial},
		{"SpoolDiscard", testSpoolDiscard},
		{"SpoolContext", testSpoolContext},
		{"SpoolBudget", testSpoolBudget},
		{"ManyAtOnce", testManyAtOnce},
		{"EvictWhileUsed", testEvictWhileUsed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// Content is an object's bytes and its whole tree.
type Content struct {
	Bytes []byte
	Tree  *chunker.Tree
	ID    chunker.ObjectID
	chunker.Header
}

// Make returns size bytes that depend on seed alone.
func Make(t testing.TB, seed uint64, size int) Content {
	t.Helper()
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	if _, err := io.ReadFull(rand.NewChaCha8(key), b); err != nil {
		t.Fatal(err)
	}
	tree, err := chunker.Build(bytes.NewReader(b), int64(size))
	if err != nil {
		t.Fatal(err)
	}
	return Content{Bytes: b, Tree: tree, ID: tree.Header().ID(), Header: tree.Header()}
}

// Chunk returns chunk i of c.
func (c Content) Chunk(i int) []byte {
	off := c.ChunkOffset(i)
	return c.Bytes[off : off+int64(c.ChunkLen(i))]
}

// Proof returns the proof of MetaChunk m.
func (c Content) Proof(t testing.TB, m int) chunker.MetaProof {
	t.Helper()
	p, err := c.Tree.MetaProof(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Begin gives obj the header and every proof of c.
func Begin(t testing.TB, obj store.Object, c Content) {
	t.Helper()
	if err := obj.Begin(c.Header); err != nil {
		t.Fatal(err)
	}
	for m := range c.NumMetaChunks() {
		if err := obj.AddProof(m, c.Proof(t, m)); err != nil {
			t.Fatal(err)
		}
	}
}

// Put puts c into the store, whole, and closes it.
func Put(t testing.TB, s store.Store, c Content) {
	t.Helper()
	obj := create(t, s, c.ID)
	defer obj.Close()
	Begin(t, obj, c)
	for i := range c.NumChunks() {
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	if !obj.Complete() {
		t.Fatal("every chunk was put and the object is not complete")
	}
}

// Check reads c back from the store and compares it.
func Check(t testing.TB, s store.Store, c Content) {
	t.Helper()
	obj, err := s.OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	if !obj.Complete() {
		t.Error("the object is not complete")
	}
	got, err := io.ReadAll(store.NewReader(context.Background(), obj, 0))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, c.Bytes) {
		t.Fatalf("got %d bytes back that differ from the %d put", len(got), len(c.Bytes))
	}
}

func create(t testing.TB, s store.Store, id chunker.ObjectID) store.Object {
	t.Helper()
	obj, err := s.Create(id)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// has reports whether the store holds c in any part.
func has(t testing.TB, s store.Store, c Content) bool {
	t.Helper()
	obj, err := s.OpenObject(c.ID)
	if err != nil {
		return false
	}
	if err := obj.Close(); err != nil {
		t.Error(err)
	}
	return true
}

// clock is a wall clock that moves one hour at every look, so that every use of
// an object has its own time.
type clock struct{ hours atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(c.hours.Add(1)) * time.Hour)
}
