package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"nt/chunker"
	"nt/chunker/store"
)

// putAll fills obj in an order of its own.
func putAll(obj store.Object, c Content, seed uint64) error {
	if err := obj.Begin(c.Header); err != nil {
		return err
	}
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(c.NumChunks()) {
		m := chunker.MetaOf(i)
		if !obj.HasProof(m) {
			p, err := c.Tree.MetaProof(m)
			if err == nil {
				err = obj.AddProof(m, p)
			}
			if err != nil {
				return err
			}
		}
		if err := obj.Put(i, c.Chunk(i)); err != nil {
			return err
		}
	}
	return nil
}

func testManyAtOnce(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 300<<10+1)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		obj := create(t, s, c.ID)
		wg.Go(func() {
			defer obj.Close()
			if g < 4 {
				if err := putAll(obj, c, g); err != nil {
					t.Error(err)
				}
				return
			}
			got, err := io.ReadAll(store.NewReader(context.Background(), obj, 0))
			if err != nil || !bytes.Equal(got, c.Bytes) {
				t.Errorf("reader %d got %d bytes: %v", g, len(got), err)
			}
		})
	}
	wg.Wait()
	Check(t, s, c)
	if used, _ := s.Usage(); used != c.Size+store.Cost(c.Header) {
		t.Errorf("%d bytes are in use for one object of %d, cost %d", used, c.Size, store.Cost(c.Header))
	}
}

// testEvictWhileUsed fills and reads more than the budget holds, from many sides.
func testEvictWhileUsed(t *testing.T, open Opener) {
	var c [8]Content
	for i := range c {
		c[i] = Make(t, uint64(i), 64<<10)
	}
	s := open(t, store.Options{Budget: budgetFor(5, c[0])})
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 1))
			for range 30 {
				useOne(t, s, c[rnd.IntN(len(c))], rnd.Uint64())
			}
		})
	}
	wg.Wait()
	if used, budget := s.Usage(); used > budget {
		t.Errorf("%d bytes in use, budget %d", used, budget)
	}
}

func useOne(t *testing.T, s store.Store, c Content, seed uint64) {
	obj, err := s.Create(c.ID)
	if err != nil {
		t.Error(err)
		return
	}
	defer obj.Close()
	if err := putAll(obj, c, seed); errors.Is(err, store.ErrBudget) {
		return // the others hold everything
	} else if err != nil {
		t.Error(err)
		return
	}
	got, err := io.ReadAll(store.NewReader(context.Background(), obj, 0))
	if err != nil || !bytes.Equal(got, c.Bytes) {
		t.Errorf("read %d bytes of %s: %v", len(got), c.ID, err)
	}
}
