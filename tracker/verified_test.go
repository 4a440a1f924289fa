package tracker

import (
	"bytes"
	"crypto/ed25519"
	"hash/maphash"
	"net/http"
	"testing"

	"nt/internal/resource"
)

// A statement that differs in any field from one that was checked is checked.
func TestWhatWasVerifiedIsEveryField(t *testing.T) {
	v := &verified{seed: maphash.MakeSeed()}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	st := resource.Statement{Status: 200, Size: 3, ObservedAt: 100, Place: resource.Place{Log: 90, Seq: 1}, Header: http.Header{"Etag": {"x"}}}.Sign(key)
	for range 2 {
		if err := v.verify(st); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*resource.Statement){
		"key":       func(s *resource.Statement) { s.Key[3]++ },
		"object":    func(s *resource.Statement) { s.Object[3]++ },
		"size":      func(s *resource.Statement) { s.Size++ },
		"time":      func(s *resource.Statement) { s.ObservedAt++ },
		"no place":  func(s *resource.Statement) { s.Place = resource.Place{} },
		"log":       func(s *resource.Statement) { s.Place.Log-- },
		"seq":       func(s *resource.Statement) { s.Place.Seq, s.Place.Prev = 2, resource.Digest{1} },
		"witness":   func(s *resource.Statement) { s.Witness[3]++ },
		"signature": func(s *resource.Statement) { s.Signature[3]++ },
		"field":     func(s *resource.Statement) { s.Header = http.Header{"Etag": {"y"}} },
	} {
		other := st
		if change(&other); v.verify(other) == nil {
			t.Errorf("another %s passes", name)
		}
	}
}
