package storetest

import (
	"errors"
	"testing"

	"nt/chunker"
	"nt/chunker/store"
	"nt/transport"
)

func testList(t *testing.T, open Opener) {
	pinned := Make(t, 1, 5000)
	s := open(t, store.Options{Pinned: func(id chunker.ObjectID) bool { return id == pinned.ID }, Now: new(clock).now})
	part, none := Make(t, 2, 50_000), Make(t, 3, 0)
	Put(t, s, pinned)
	Put(t, s, none)
	obj := create(t, s, part.ID)
	defer obj.Close()
	Begin(t, obj, part)
	for i := range 10 {
		if err := obj.Put(i, part.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[chunker.ObjectID]store.Info)
	for i := range s.List() {
		if i.LastUsed.IsZero() {
			t.Errorf("%s was never used", i.ID)
		}
		got[i.ID] = i
	}
	for _, w := range []store.Info{
		{ID: pinned.ID, Size: 5000, Have: 5000, Complete: true, Pinned: true},
		{ID: none.ID, Complete: true},
		{ID: part.ID, Size: 50_000, Have: 10 << 10},
	} {
		g := got[w.ID]
		w.LastUsed = g.LastUsed
		if g != w {
			t.Errorf("listed %+v, want %+v", g, w)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d objects are listed, want 3", len(got))
	}
	for range s.List() {
		break
	}
}

func testRemove(t *testing.T, open Opener) {
	s := open(t, store.Options{})
	c := Make(t, 1, 50_000)
	if err := s.Remove(c.ID); !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("removing nothing: %v", err)
	}
	Put(t, s, c)
	obj, err := s.OpenObject(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(c.ID); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing what is open: %v", err)
	}
	if err := obj.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(c.ID); err != nil {
		t.Fatal(err)
	}
	if used, _ := s.Usage(); used != 0 || has(t, s, c) {
		t.Errorf("after the removal %d bytes are in use", used)
	}
	Put(t, s, c)
	Check(t, s, c)
}

// budgetFor returns room for n objects like c and a half.
func budgetFor(n int, c Content) int64 {
	one := c.Size + store.Cost(c.Header)
	return int64(n)*one + one/2
}

func testEvictionOrder(t *testing.T, open Opener) {
	var c [6]Content
	for i := range c {
		c[i] = Make(t, uint64(i), 64<<10)
	}
	s := open(t, store.Options{Budget: budgetFor(3, c[0]), Now: new(clock).now})
	for i := range 3 {
		Put(t, s, c[i])
	}
	if !has(t, s, c[0]) { // uses it: now 1 is the oldest
		t.Fatal("evicted within the budget")
	}
	steps := []struct{ add, gone int }{{3, 1}, {4, 2}, {5, 0}}
	for _, st := range steps {
		Put(t, s, c[st.add])
		listed := make(map[chunker.ObjectID]bool)
		for i := range s.List() {
			listed[i.ID] = true
		}
		if listed[c[st.gone].ID] || len(listed) != 3 || !listed[c[st.add].ID] {
			t.Fatalf("after adding %d there are %d objects and %d is there: %v", st.add, len(listed), st.gone, listed[c[st.gone].ID])
		}
		if used, budget := s.Usage(); used > budget {
			t.Errorf("%d bytes in use, budget %d", used, budget)
		}
	}
}

func testInUseAndPinnedStay(t *testing.T, open Opener) {
	pinned, held, extra := Make(t, 1, 64<<10), Make(t, 2, 64<<10), Make(t, 3, 64<<10)
	s := open(t, store.Options{Budget: budgetFor(2, held), Now: new(clock).now,
		Pinned: func(id chunker.ObjectID) bool { return id == pinned.ID }})
	Put(t, s, pinned)
	obj := create(t, s, held.ID)
	Begin(t, obj, held)
	for i := range held.NumChunks() - 1 {
		if err := obj.Put(i, held.Chunk(i)); err != nil {
			t.Fatal(err)
		}
	}
	late := create(t, s, extra.ID)
	err := late.Begin(extra.Header)
	for i := 0; err == nil && i < extra.NumChunks(); i++ {
		if err = late.AddProof(chunker.MetaOf(i), extra.Proof(t, chunker.MetaOf(i))); err == nil {
			err = late.Put(i, extra.Chunk(i))
		}
	}
	if !errors.Is(err, store.ErrBudget) {
		t.Fatalf("everything is held or pinned, and a third object got: %v", err)
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	last := held.NumChunks() - 1
	if err := obj.Put(last, held.Chunk(last)); err != nil {
		t.Errorf("the part of the refused object could have made room: %v", err)
	}
	if err := obj.Close(); err != nil {
		t.Error(err)
	}
	Check(t, s, held)
	Put(t, s, extra) // nobody holds it now
	if has(t, s, held) || !has(t, s, pinned) {
		t.Error("not the unpinned object was evicted")
	}
}

func testBudget(t *testing.T, open Opener) {
	small, big := Make(t, 1, 10<<10), Make(t, 2, 200<<10)
	s := open(t, store.Options{Budget: 100 << 10})
	Put(t, s, small)
	obj := create(t, s, big.ID)
	if err := obj.Begin(big.Header); !errors.Is(err, store.ErrBudget) {
		t.Errorf("an object larger than the budget: %v", err)
	}
	if err := obj.Close(); err != nil {
		t.Error(err)
	}
	Check(t, s, small) // not evicted in vain
	if _, budget := s.Usage(); budget != 100<<10 {
		t.Errorf("budget %d", budget)
	}
}
