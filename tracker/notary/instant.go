package notary

import (
	"sync"

	"nt/internal/resource"
)

// maxInstants bounds the seconds that are remembered.
const maxInstants = 1 << 14

// instants keeps the promise that no two statements of this notary name two contents for one
// URL and second: readers take such a pair for a proof that it lies to some of them
// (trust.Equivocates). A page that changes faster than that is said to be a second older or
// younger. The zero value is ready.
type instants struct {
	mu        sync.Mutex
	now, past map[instant]resource.Statement // two generations, so that forgetting is bounded work
}

type instant struct {
	key      resource.Key
	encoding string
	second   int64
}

// place returns the statement with the first second from its own on that is free for it.
func (t *instants) place(st resource.Statement) resource.Statement {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		at := instant{st.Key, st.Encoding(), st.ObservedAt}
		was, taken := t.now[at]
		if !taken {
			was, taken = t.past[at]
		}
		if taken && !was.SameContent(st) {
			st.ObservedAt++
			continue
		}
		if len(t.now) >= maxInstants {
			t.now, t.past = nil, t.now
		}
		if t.now == nil {
			t.now = make(map[instant]resource.Statement)
		}
		t.now[at] = resource.Statement{Key: st.Key, Object: st.Object, Header: contentFields(st)}
		return st
	}
}

// contentFields keeps the fields that tell contents apart.
func contentFields(st resource.Statement) map[string][]string {
	out := make(map[string][]string, 2)
	for _, f := range [...]string{"Content-Type", "Content-Encoding"} {
		if v := st.Header.Values(f); len(v) > 0 {
			out[f] = v
		}
	}
	return out
}
