package memory

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/tracker/storetest"
)

// FuzzReadStatements reads files that are whole but say anything: what is taken can be
// written and read again, and nothing is booked that is not there.
func FuzzReadStatements(f *testing.F) {
	now := storetest.Start()
	s := New(Config{Shards: 2})
	for i := range 3 {
		p := storetest.NewPeer(i, "1.2.3.4:7000")
		s.Announce(now, time.Hour, p.Announcer(now), []resource.Statement{p.State("page", "object", now)})
	}
	var file bytes.Buffer
	if err := s.WriteStatements(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes()[len(fileMagic) : file.Len()-sha256.Size])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, records []byte) {
		whole := append([]byte(fileMagic), records...)
		sum := sha256.Sum256(whole)
		s := New(Config{Shards: 2})
		n, err := s.ReadStatements(now, bytes.NewReader(append(whole, sum[:]...)))
		st := s.Stats(now)
		if st.Statements > n || err == nil && st.Statements == 0 && n > 0 {
			t.Fatalf("%d statements, %d read, %v", st.Statements, n, err)
		}
		var again bytes.Buffer
		if err := s.WriteStatements(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Shards: 2}).ReadStatements(now, bytes.NewReader(again.Bytes())); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
