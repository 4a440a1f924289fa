package peer

import "errors"

// setHelper makes nb the origin's part of the fetch, unless it has one or is better off without.
func (f *fetch) setHelper(nb *helper) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.helper != nil || f.noHelp || f.over {
		return false
	}
	f.helper = nb
	return true
}

// dropHelper notes that the origin brings nothing more; one that has shown that it is of no use
// is not tried again.
func (f *fetch) dropHelper(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.helper = nil
	f.noHelp = f.noHelp || errors.Is(why, errNotTheObject) || errors.Is(why, errNoHelp)
}

// hasFailed reports whether the fetch is over without the whole object. nil has not.
func (f *fetch) hasFailed() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	over := f.over
	f.mu.Unlock()
	if over {
		<-f.done // at once
	}
	return f.failed.Err() != nil
}

// fromOrigin notes that chunk i came from the origin, and tells the transport that runs.
func (f *fetch) fromOrigin(i int) {
	f.mu.Lock()
	f.own.Add(uint32(i))
	enough := f.enough
	f.mu.Unlock()
	if f.obj.Complete() && enough != nil {
		enough()
		return
	}
	select {
	case f.arrivals <- i:
	default: // it will come twice; the store does not mind
	}
}

// brought is how many chunks came from the origin.
func (f *fetch) brought() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.own.Count()
}

// split returns how many of the n bytes from off on came from the origin. nil is a fetch without any.
func (f *fetch) split(off, n int64) (origin int64) {
	if f == nil {
		return 0
	}
	h, ok := f.obj.Header()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok || f.own.Count() == 0 {
		return 0
	}
	size := int64(h.ChunkSize())
	for n > 0 {
		step := min(n, size-off%size)
		if f.own.Contains(uint32(off / size)) {
			origin += step
		}
		off, n = off+step, n-step
	}
	return origin
}
