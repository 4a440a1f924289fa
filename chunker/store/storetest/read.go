package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"nt/chunker/store"
)

func testReaderOrder(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 200<<10+7)
	obj := create(t, s, c.ID)
	defer obj.Close()
	type result struct {
		b   []byte
		err error
	}
	results := make(chan result)
	for _, off := range []int64{0, 1, 100_000, c.Size - 1, c.Size, c.Size + 1} {
		go func() { // started before the header is known
			b, err := io.ReadAll(store.NewReader(context.Background(), obj, off))
			if !bytes.Equal(b, c.Bytes[min(off, c.Size):]) {
				err = errors.Join(err, errors.New("read other bytes"))
			}
			results <- result{b, err}
		}()
	}
	Begin(t, obj, c)
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(c.NumChunks()) {
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		if r := <-results; r.err != nil {
			t.Error(r.err)
		}
	}
	var w bytes.Buffer
	if n, err := io.Copy(&w, store.NewReader(context.Background(), obj, 5)); err != nil || n != c.Size-5 || !bytes.Equal(w.Bytes(), c.Bytes[5:]) {
		t.Errorf("copied %d bytes: %v", n, err)
	}
}

func testReaderSeek(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 20<<10)
	Put(t, s, c)
	obj, err := s.OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	r := store.NewReader(context.Background(), obj, 0)
	want := bytes.NewReader(c.Bytes)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		off, whence := rnd.Int64N(2*c.Size)-c.Size/2, rnd.IntN(4)
		got, err := r.Seek(off, whence)
		exp, expErr := want.Seek(off, whence)
		if (err != nil) != (expErr != nil) || err == nil && got != exp {
			t.Fatalf("Seek(%d, %d): %d, %v; want %d, %v", off, whence, got, err, exp, expErr)
		}
		b, e := make([]byte, rnd.IntN(5000)), make([]byte, 5000)
		n, err := io.ReadFull(r, b)
		m, expErr := io.ReadFull(want, e[:len(b)])
		if n != m || err != expErr || !bytes.Equal(b[:n], e[:m]) {
			t.Fatalf("after Seek(%d, %d) read %d, %v; want %d, %v", off, whence, n, err, m, expErr)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("reading from a closed reader: %v", err)
	}
}

func testReaderCancel(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 5000)
	obj := create(t, s, c.ID)
	defer obj.Close()
	cause := errors.New("too slow")
	read := func(want int) {
		t.Helper()
		ctx, cancel := context.WithCancelCause(context.Background())
		got := make(chan error)
		go func() {
			b, err := io.ReadAll(store.NewReader(ctx, obj, 0))
			if !bytes.Equal(b, c.Bytes[:want]) {
				err = errors.New("not the bytes that were there")
			}
			got <- err
		}()
		cancel(cause)
		if err := <-got; !errors.Is(err, cause) {
			t.Errorf("cancelled reader: %v", err)
		}
	}
	read(0) // waits for the header
	Begin(t, obj, c)
	read(0)
	for i := range 3 {
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	read(3 << 10)
}
