package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/chunker/store"
	"nt/transport"
)

// borders are the sizes at which cutting changes: empty, one byte, around the
// ends of chunks, MetaChunks, tree levels and chunk sizes.
func borders() []int {
	const kib, meta = 1 << 10, 16 << 10
	return []int{0, 1, kib - 1, kib, kib + 1, 2 * kib, meta - 1, meta, meta + 1, 2*meta + 1, 3 * meta,
		17*meta + 5, 4096*kib - 1, 4096 * kib, 4096*kib + 1}
}

func testPutGet(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	for i, size := range borders() {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := Make(t, uint64(i), size)
			Put(t, s, c)
			Check(t, s, c)
			Put(t, s, c) // again: nothing new, no error
			Check(t, s, c)
		})
	}
}

func testDoor(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c, other := Make(t, 1, 40<<10), Make(t, 2, 40<<10)
	obj := create(t, s, c.ID)
	defer obj.Close()
	want := func(what string, err, wrapped error) {
		t.Helper()
		if !errors.Is(err, wrapped) {
			t.Errorf("%s: got %v, want %v", what, err, wrapped)
		}
	}
	want("proof before the header", obj.AddProof(0, c.Proof(t, 0)), chunker.ErrBadProof)
	want("chunk before the header", obj.Put(0, c.Chunk(0)), chunker.ErrNoProof)
	want("header of another object", obj.Begin(other.Header), chunker.ErrBadHeader)
	if _, begun := obj.Header(); begun {
		t.Error("another object's header was accepted")
	}
	want("header", obj.Begin(c.Header), nil)
	want("header again", obj.Begin(c.Header), nil)
	want("chunk before its proof", obj.Put(0, c.Chunk(0)), chunker.ErrNoProof)
	want("proof of another object", obj.AddProof(0, other.Proof(t, 0)), chunker.ErrBadProof)
	want("proof of another place", obj.AddProof(1, c.Proof(t, 0)), chunker.ErrBadProof)
	want("proof of no place", obj.AddProof(3, c.Proof(t, 0)), chunker.ErrBadProof)
	want("proof of a negative place", obj.AddProof(-1, c.Proof(t, 0)), chunker.ErrBadProof)
	if obj.HasProof(0) || obj.HasProof(-1) || obj.HasProof(99) {
		t.Error("a proof is known that was never accepted")
	}
	want("proof", obj.AddProof(0, c.Proof(t, 0)), nil)
	want("chunk of another object", obj.Put(0, other.Chunk(0)), chunker.ErrBadChunk)
	want("another chunk", obj.Put(0, c.Chunk(1)), chunker.ErrBadChunk)
	want("short chunk", obj.Put(0, c.Chunk(0)[1:]), chunker.ErrBadChunk)
	want("long chunk", obj.Put(0, append(slices.Clone(c.Chunk(0)), 0)), chunker.ErrBadChunk)
	want("unproved chunk", obj.Put(16, c.Chunk(16)), chunker.ErrNoProof)
	want("chunk of no number", obj.Put(40, c.Chunk(0)), chunker.ErrNoProof)
	want("chunk of a negative number", obj.Put(-1, c.Chunk(0)), chunker.ErrNoProof)
	if n := obj.Have().Count(); n != 0 {
		t.Errorf("%d chunks are there and none was right", n)
	}
	want("chunk", obj.Put(0, c.Chunk(0)), nil)
	want("chunk again", obj.Put(0, c.Chunk(0)), nil)
	want("wrong bytes for a chunk that is there", obj.Put(0, c.Chunk(1)), chunker.ErrBadChunk)
	if got := obj.Have(); got.Count() != 1 || !got.Contains(0) {
		t.Errorf("chunk 0 was put, %d chunks are there", got.Count())
	}
}

func testNoTrace(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 3000)
	obj := create(t, s, c.ID)
	if has(t, s, c) {
		t.Error("an object without a header is offered to readers")
	}
	if err := obj.Close(); err != nil {
		t.Error(err)
	}
	for i := range s.List() {
		t.Errorf("%s is listed and was never begun", i.ID)
	}
	if _, err := s.Open(c.ID); !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("opening what is not there: %v", err)
	}
	if used, _ := s.Usage(); used != 0 {
		t.Errorf("an empty store uses %d bytes", used)
	}
}

func testPartial(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 100<<10)
	obj := create(t, s, c.ID)
	if err := obj.Begin(c.Header); err != nil {
		t.Fatal(err)
	}
	if err := obj.AddProof(2, c.Proof(t, 2)); err != nil {
		t.Fatal(err)
	}
	put := []int{32, 34, 47}
	for _, i := range put {
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := obj.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := s.OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	checkPartial(t, again, c, put)
	src, err := s.Open(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if src.Have().Count() != len(put) {
		t.Error("the transport's view has other chunks")
	}
}

func checkPartial(t *testing.T, obj store.Object, c Content, put []int) {
	t.Helper()
	if h, ok := obj.Header(); !ok || h != c.Header || obj.Complete() {
		t.Fatalf("header %+v %v, complete %v", h, ok, obj.Complete())
	}
	if !obj.HasProof(2) || obj.HasProof(1) {
		t.Error("not the proofs that were put")
	}
	if _, err := obj.MetaProof(1); !errors.Is(err, chunker.ErrNoProof) {
		t.Errorf("a proof that is not there: %v", err)
	}
	if p, err := obj.MetaProof(2); err != nil || chunker.NewTree(c.Header).AddProof(2, p) != nil {
		t.Errorf("the proof that is there does not prove: %v", err)
	}
	var want nois.Set
	for _, i := range put {
		want.Add(uint32(i))
		if got, err := obj.ReadChunk(i, nil); err != nil || !slices.Equal(got, c.Chunk(i)) {
			t.Errorf("chunk %d: %v", i, err)
		}
	}
	if got := obj.Have(); got.Count() != len(put) || got.Intervals() != want.Intervals() {
		t.Errorf("%d chunks in %d intervals are there, want %d in %d", got.Count(), got.Intervals(), len(put), want.Intervals())
	}
	for _, i := range []int{33, 0, 99, 100, -1} {
		if _, err := obj.ReadChunk(i, nil); !errors.Is(err, transport.ErrNotFound) {
			t.Errorf("chunk %d, which is not there: %v", i, err)
		}
	}
}

func testWait(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 5000)
	obj := create(t, s, c.ID)
	defer obj.Close()
	done := make(chan error)
	go func() { done <- obj.Wait(context.Background(), 3) }()
	Begin(t, obj, c)
	for i := range 4 {
		select {
		case err := <-done:
			t.Fatalf("waited for chunk 3 and was woken before chunk %d: %v", i, err)
		default:
		}
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{-1, 5} {
		if err := obj.Wait(context.Background(), i); err == nil {
			t.Errorf("waiting for chunk %d, which the object does not have, ended well", i)
		}
	}
	cause := errors.New("the reader has left")
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { done <- obj.Wait(ctx, 4) }()
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("cancelled wait: %v", err)
	}
}

func testClosed(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 5000)
	obj := create(t, s, c.ID)
	Begin(t, obj, c)
	for range 2 {
		if err := obj.Close(); err != nil {
			t.Error(err)
		}
	}
	_, readErr := obj.ReadChunk(0, nil)
	_, proofErr := obj.MetaProof(0)
	for i, err := range []error{obj.Put(0, c.Chunk(0)), obj.Begin(c.Header), obj.AddProof(0, c.Proof(t, 0)), readErr, proofErr} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("call %d on a closed object: %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, createErr := s.Create(c.ID)
	_, openErr := s.OpenObject(c.ID)
	_, spoolErr := s.Spool(context.Background())
	for i, err := range []error{createErr, openErr, spoolErr, s.Remove(c.ID)} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("call %d on a closed store: %v", i, err)
		}
	}
}
