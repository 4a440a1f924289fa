package disk

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"nt/chunker/store"
	"nt/chunker/store/storetest"
	"nt/internal/testenv"
)

func TestRow45_FullDisk(t *testing.T) {
	dir := t.TempDir()
	err := syscall.Mount("store", dir, "tmpfs", 0, "size=256k")
	testenv.SkipUnless(t, err == nil, fmt.Sprint("a small file system cannot be mounted here: ", err))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s := openStore(t, dir, store.Options{})
	small, big := storetest.Make(t, 1, 64<<10), storetest.Make(t, 2, 400<<10)
	storetest.Put(t, s, small)
	err = fill(s, big, big.NumChunks())
	if !errors.Is(err, store.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("filling a full disk: %v", err)
	}
	if err := commitOne(s, big); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("spooling to a full disk: %v", err)
	}
	storetest.Check(t, s, small)
	if damaged, missing := readAll(t, s, big); damaged > 0 || missing == 0 {
		t.Errorf("%d chunks damaged, %d missing", damaged, missing)
	}
	if err := s.Remove(big.ID); err != nil {
		t.Fatal(err)
	}
	sp, err := s.Spool(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sp.Write(small.Bytes[1:]); err != nil {
		t.Fatal(err)
	}
	if _, err := sp.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}
