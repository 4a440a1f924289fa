package peer

import (
	"slices"
	"sync"

	"nt/internal/resource"
	"nt/peer/trust"
)

// maxSaid bounds the notaries' statements that are remembered to compare them.
const maxSaid = 1024

// said remembers what notaries said lately, here and to others, and who was caught at
// saying two things. The zero value is ready.
type said struct {
	mu    sync.Mutex
	list  []resource.Statement // a ring
	next  int
	known map[resource.Signature]bool
	liars map[resource.WitnessKey]string // the proof's file
	// shared are the resources that this node announces, and so may talk about.
	shared map[resource.Key]bool
}

// hear takes a statement whose signature holds, and returns the one it contradicts, if any.
func (s *said) hear(st resource.Statement) (other resource.Statement, caught bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[st.Signature] {
		return other, false
	}
	if s.known == nil {
		s.known = make(map[resource.Signature]bool)
	}
	for _, o := range s.list {
		if trust.Equivocates(o, st) {
			other, caught = o, true
		}
	}
	if len(s.list) < maxSaid {
		s.list = append(s.list, st)
	} else {
		delete(s.known, s.list[s.next].Signature)
		s.list[s.next] = st
		s.next = (s.next + 1) % maxSaid
	}
	s.known[st.Signature] = true
	return other, caught
}

// latest returns up to n of the statements, the newest first.
func (s *said) latest(n int) []resource.Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []resource.Statement
	for i := range min(n, len(s.list)) {
		out = append(out, s.list[(s.next-1-i+2*len(s.list))%len(s.list)])
	}
	return out
}

// share notes that a resource is announced, with a notary's word.
func (s *said) share(st resource.Statement) {
	s.hear(st)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared == nil || len(s.shared) >= maxAnnounced {
		s.shared = make(map[resource.Key]bool)
	}
	s.shared[st.Key] = true
}

// unshare takes share back.
func (s *said) unshare(key resource.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shared, key)
}

// proof returns the file with the proof that a witness lied, "" if there is none.
func (s *said) proof(w resource.WitnessKey) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liars[w]
}

// proofs returns the proofs against the witnesses of some evidence.
func (s *said) proofs(evidence []trust.Evidence) []string {
	var out []string
	for _, e := range evidence {
		if file := s.proof(e.Statement.Witness); file != "" && !slices.Contains(out, file) {
			out = append(out, file)
		}
	}
	return out
}

func (s *said) accuse(w resource.WitnessKey, file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.liars == nil {
		s.liars = make(map[resource.WitnessKey]string)
	}
	s.liars[w] = file
}
