package bittorrent

import (
	"time"

	"nt/chunker"
	"nt/chunker/nois"
)

// enter opens the door to the Sink, unless the Fetch is over.
func (f *fetch) enter() bool {
	f.door.RLock()
	if f.over {
		f.door.RUnlock()
		return false
	}
	return true
}

func (f *fetch) leave() { f.door.RUnlock() }

// complete reports whether the sink holds the whole object.
func (f *fetch) complete() bool {
	h, ok := f.req.Sink.Header()
	return ok && (f.holds(nois.Interval{End: uint32(h.NumChunks())}) || f.req.Sink.Have().Full(uint32(h.NumChunks())))
}

// holds reports whether chunks are known to be there.
func (f *fetch) holds(iv nois.Interval) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.have.ContainsRange(iv)
}

// count returns how many chunks are known to be there.
func (f *fetch) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.have.Count()
}

// keep notes that a chunk is there and reports whether it is the first of its kind.
func (f *fetch) keep(i int) bool {
	h, _ := f.req.Sink.Header()
	f.mu.Lock()
	f.have.Add(uint32(i))
	isNew := f.told.Add(uint32(i))
	if isNew {
		f.last = time.Now()
	}
	full := f.have.Count() == h.NumChunks()
	f.mu.Unlock()
	if full {
		f.rouse()
	}
	return isNew
}

// sync takes up what came into the Sink by other ways, and by other swarms.
func (f *fetch) sync() {
	have := f.req.Sink.Have()
	f.mu.Lock()
	f.have.Union(have)
	f.mu.Unlock()
	for _, r := range f.allRooms() {
		for i := range r.swarm.torrent.NumPieces() {
			if f.holds(r.swarm.chunks(i)) {
				r.swarm.heard(i)
			}
		}
	}
}

// allow asks for the pieces all of whose chunks can be proved on arrival. Pieces
// are cut by the chunker's proofs in order, so that the first unproved MetaChunk
// is the end.
func (f *fetch) allow() {
	h, ok := f.req.Sink.Header()
	if !ok {
		return
	}
	m := f.unproved(h)
	proved := min(h.ChunkOffset(m*chunker.ChunksPerMeta), h.Size)
	end := int(proved / pieceLength(h.Size))
	if proved == h.Size {
		end = numPieces(h.Size)
	}
	for _, r := range f.allRooms() {
		r.swarm.want(end)
	}
}

// unproved returns the first MetaChunk whose proof is not known.
func (f *fetch) unproved(h chunker.Header) int {
	f.mu.Lock()
	m := f.proved
	f.mu.Unlock()
	for m < h.NumMetaChunks() && f.req.Sink.HasProof(m) {
		m++
	}
	f.mu.Lock()
	f.proved = max(f.proved, m)
	f.mu.Unlock()
	return m
}
