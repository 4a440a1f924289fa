package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"nt/chunker/store"
)

func newSpool(t *testing.T, s store.Store, ctx context.Context) store.Spool {
	t.Helper()
	sp, err := s.Spool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func write(t *testing.T, sp store.Spool, b []byte) {
	t.Helper()
	if n, err := sp.Write(b); err != nil || n != len(b) {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
	}
}

// commit spools c in uneven pieces and commits it.
func commit(t *testing.T, s store.Store, c Content) {
	t.Helper()
	sp := newSpool(t, s, context.Background())
	for b := c.Bytes; len(b) > 0; {
		n := min(len(b), 30_011)
		write(t, sp, b[:n])
		b = b[n:]
	}
	if h, err := sp.Commit(context.Background()); err != nil || h != c.Header {
		t.Fatalf("committed %+v: %v", h, err)
	}
	if err := sp.Discard(nil); err != nil {
		t.Errorf("Discard after Commit: %v", err)
	}
}

func testSpoolFollow(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 300_000)
	sp := newSpool(t, s, context.Background())
	defer sp.Discard(nil)
	results := make(chan error)
	offsets := []int64{0, 1, 65_536, 299_999, 300_000, 300_001}
	for _, off := range offsets {
		r, err := sp.Follow(context.Background(), off)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			b, err := io.ReadAll(r)
			if !bytes.Equal(b, c.Bytes[min(off, c.Size):]) {
				err = errors.Join(err, errors.New("followed other bytes"))
			}
			results <- errors.Join(err, r.Close())
		}()
	}
	late, err := sp.Follow(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	for off := int64(0); off < c.Size; off += 10_000 {
		if n, err := sp.ReadAt(buf, off); n != 0 || err != io.EOF {
			t.Fatalf("read %d bytes that were not written: %v", n, err)
		}
		write(t, sp, c.Bytes[off:off+10_000])
		if n, err := sp.ReadAt(buf, off+9_995); n != 5 || err != io.EOF || !bytes.Equal(buf[:5], c.Bytes[off+9_995:off+10_000]) {
			t.Fatalf("read %d bytes at the end: %v", n, err)
		}
		if err := sp.Wait(context.Background(), off); err != nil || sp.Size() != off+10_000 {
			t.Fatalf("size %d: %v", sp.Size(), err)
		}
	}
	if _, err := sp.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range offsets {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if b, err := io.ReadAll(late); err != nil || !bytes.Equal(b, c.Bytes) {
		t.Errorf("a follower that reads after the commit got %d bytes: %v", len(b), err)
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	if err := sp.Wait(context.Background(), c.Size); err != io.EOF {
		t.Errorf("waiting at the end: %v", err)
	}
	if _, err := sp.Write([]byte("x")); err == nil {
		t.Error("wrote to a committed spool")
	}
	Check(t, s, c)
}

func testSpoolCommit(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	for i, size := range borders() {
		c := Make(t, uint64(i), size)
		commit(t, s, c)
		Check(t, s, c)
		obj, err := s.OpenObject(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for m := range c.NumMetaChunks() {
			if p, err := obj.MetaProof(m); err != nil || !obj.HasProof(m) || len(p.Leaves) != c.MetaLeaves(m) {
				t.Errorf("proof %d of a committed object: %v", m, err)
			}
		}
		if err := obj.Close(); err != nil {
			t.Error(err)
		}
	}
}

func testSpoolCommitTwice(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 100_000)
	commit(t, s, c)
	once, _ := s.Usage()
	commit(t, s, c)
	if twice, _ := s.Usage(); twice != once {
		t.Errorf("the same bytes again: usage went from %d to %d", once, twice)
	}
	Check(t, s, c)
}

func testSpoolCommitOverPartial(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	for i, begun := range []bool{true, false} {
		c := Make(t, uint64(i), 100_000)
		obj := create(t, s, c.ID)
		if begun {
			Begin(t, obj, c)
			if err := obj.Put(7, c.Chunk(7)); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan error)
		go func() {
			b, err := io.ReadAll(store.NewReader(context.Background(), obj, 0))
			if !bytes.Equal(b, c.Bytes) {
				err = errors.Join(err, errors.New("read other bytes"))
			}
			got <- err
		}()
		commit(t, s, c)
		if !begun { // a handle that had no header sees the object at its own Begin at the latest
			Begin(t, obj, c)
		}
		if err := <-got; err != nil || !obj.Complete() {
			t.Errorf("the reader of an object that a commit completed: %v", err)
		}
		if err := obj.Close(); err != nil {
			t.Error(err)
		}
		Check(t, s, c)
	}
}

func testSpoolDiscard(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	cut := errors.New("the origin's body was cut")
	for _, cause := range []error{nil, cut} {
		want := cause
		if want == nil {
			want = store.ErrDiscarded
		}
		sp := newSpool(t, s, context.Background())
		r, err := sp.Follow(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		write(t, sp, []byte("half a bo"))
		got := make(chan error)
		go func() { got <- sp.Wait(context.Background(), 100) }()
		for range 2 {
			if err := sp.Discard(cause); err != nil {
				t.Error(err)
			}
		}
		if err := <-got; !errors.Is(err, want) {
			t.Errorf("a waiting follower got %v", err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, want) {
			t.Errorf("a reading follower got %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		_, writeErr := sp.Write([]byte("x"))
		_, commitErr := sp.Commit(context.Background())
		if !errors.Is(writeErr, want) || !errors.Is(commitErr, want) {
			t.Errorf("after Discard: Write %v, Commit %v", writeErr, commitErr)
		}
		if used, _ := s.Usage(); used != 0 {
			t.Errorf("a discarded spool uses %d bytes", used)
		}
	}
}

func testSpoolContext(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	cause := errors.New("the node stops")
	ctx, cancel := context.WithCancelCause(context.Background())
	sp := newSpool(t, s, ctx)
	write(t, sp, []byte("some"))
	got := make(chan error)
	go func() { got <- sp.Wait(context.Background(), 4) }()
	cancel(cause)
	if err := <-got; !errors.Is(err, cause) {
		t.Errorf("waiting: %v", err)
	}
	if _, err := sp.Write([]byte("more")); !errors.Is(err, cause) {
		t.Errorf("writing: %v", err)
	}
	if err := sp.Discard(nil); err != nil {
		t.Error(err)
	}
	sp = newSpool(t, s, context.Background())
	write(t, sp, []byte("some"))
	ctx, cancel = context.WithCancelCause(context.Background())
	cancel(cause)
	if err := sp.Wait(ctx, 4); !errors.Is(err, cause) {
		t.Errorf("a follower's own context: %v", err)
	}
	if _, err := sp.Commit(ctx); !errors.Is(err, cause) {
		t.Errorf("committing: %v", err)
	}
	if used, _ := s.Usage(); used != 0 {
		t.Errorf("a failed commit left %d bytes in use", used)
	}
}

func testSpoolBudget(t *testing.T, open Opener) {
	old := Make(t, 1, 64<<10)
	s := open(t, store.Options{Budget: budgetFor(1, old), Now: new(clock).now})
	Put(t, s, old)
	sp := newSpool(t, s, context.Background())
	var n int
	var err error
	for err == nil && n < 1<<20 {
		_, err = sp.Write(make([]byte, 1<<10))
		n += 1 << 10
	}
	if !errors.Is(err, store.ErrBudget) {
		t.Fatalf("a spool of %d bytes: %v", n, err)
	}
	if has(t, s, old) {
		t.Error("the budget was reached without evicting what nobody uses")
	}
	if err := sp.Discard(err); err != nil {
		t.Error(err)
	}
	Put(t, s, old)
	Check(t, s, old)
}
