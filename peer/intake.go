package peer

import (
	"errors"
	"fmt"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/chunker/store"
)

// maxPending bounds the bytes of an origin that wait for a proof, in bytes.
const maxPending = 1 << 20

// errNotTheObject: the origin's bytes are not those of the object that peers hold.
var errNotTheObject = errors.New("the origin now sends other bytes")

// intake cuts a stream of the origin's bytes into the chunks of an object and brings them
// in by the same door as everybody's: proved, or not at all. Chunks whose
// proof has not come yet from a peer wait. It is for one goroutine.
type intake struct {
	obj     store.Object
	header  chunker.Header
	stored  func(i int) // a chunk came in that was not there
	off     int64       // of the next byte of the stream
	skip    int64       // bytes before the first chunk that begins in the stream
	part    []byte      // of the chunk that is coming
	pending []pendingChunk
	waiting int // bytes of pending
}

// pendingChunk waits for the proof of its MetaChunk.
type pendingChunk struct {
	i    int
	data []byte
}

// newIntake returns an intake for a stream that begins at off. A chunk that begins before is skipped.
func newIntake(obj store.Object, h chunker.Header, off int64, stored func(int)) *intake {
	in := &intake{obj: obj, header: h, stored: stored, off: off}
	if before := off % int64(h.ChunkSize()); before > 0 {
		in.skip = int64(h.ChunkSize()) - before
	}
	return in
}

// chunk is the one the next byte belongs to.
func (in *intake) chunk() int { return int(in.off / int64(in.header.ChunkSize())) }

// write takes the next bytes. It fails with errNotTheObject, or with the store's error.
func (in *intake) write(b []byte) error {
	for len(b) > 0 {
		if in.off >= in.header.Size {
			return fmt.Errorf("%w: it goes on after %d bytes", errNotTheObject, in.header.Size)
		}
		if in.skip > 0 {
			n := min(in.skip, int64(len(b)))
			b, in.skip, in.off = b[n:], in.skip-n, in.off+n
			continue
		}
		i := in.chunk()
		n := min(in.header.ChunkLen(i)-len(in.part), len(b))
		in.part = append(in.part, b[:n]...)
		b, in.off = b[n:], in.off+int64(n)
		if len(in.part) == in.header.ChunkLen(i) {
			if err := in.whole(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole takes a chunk that is complete.
func (in *intake) whole(i int) error {
	done, err := in.put(i, in.part)
	if !done && err == nil {
		in.pending = append(in.pending, pendingChunk{i, in.part})
		in.waiting += len(in.part)
		in.part = nil
	}
	in.part = in.part[:0]
	return err
}

// put gives a chunk to the store; not done means that its proof is not known.
func (in *intake) put(i int, data []byte) (done bool, err error) {
	if !in.obj.HasProof(chunker.MetaOf(i)) {
		return false, nil
	}
	there := in.obj.Have().Contains(uint32(i))
	switch err := in.obj.Put(i, data); {
	case err == nil:
		if !there {
			in.stored(i)
		}
		return true, nil
	case errors.Is(err, chunker.ErrNoProof):
		return false, nil
	case errors.Is(err, chunker.ErrBadChunk):
		return false, fmt.Errorf("%w: chunk %d", errNotTheObject, i)
	default:
		return false, err
	}
}

// settle brings in what was pending and can be proved by now.
func (in *intake) settle() error {
	kept := in.pending[:0]
	for k, p := range in.pending {
		done, err := in.put(p.i, p.data)
		if err != nil {
			in.pending = append(kept, in.pending[k:]...)
			return err
		}
		if done {
			in.waiting -= len(p.data)
		} else {
			kept = append(kept, p)
		}
	}
	clear(in.pending[len(kept):])
	in.pending = kept
	return nil
}

// covered is what is there or only waits for its proof.
func (in *intake) covered() *nois.Set {
	have := in.obj.Have()
	for _, p := range in.pending {
		have.Add(uint32(p.i))
	}
	return have
}

// full reports whether no more may wait for proofs.
func (in *intake) full() bool { return in.waiting >= maxPending }

// move starts a new stream at chunk i; what is pending stays.
func (in *intake) move(i int) {
	in.off, in.skip, in.part = in.header.ChunkOffset(i), 0, in.part[:0]
}

// from gives emit the stream's bytes from off on, proved or not, in order. It fails if some
// are missing.
func (in *intake) from(off int64, emit func([]byte) error) error {
	for off < in.off {
		i := int(off / int64(in.header.ChunkSize()))
		data, err := in.find(i)
		if err != nil {
			return err
		}
		data = data[off-in.header.ChunkOffset(i):]
		data = data[:min(int64(len(data)), in.off-off)]
		if len(data) == 0 {
			return fmt.Errorf("%w: chunk %d is not there in full", store.ErrCorrupt, i)
		}
		if err := emit(data); err != nil {
			return err
		}
		off += int64(len(data))
	}
	return nil
}

func (in *intake) find(i int) ([]byte, error) {
	if len(in.part) > 0 && i == in.chunk() {
		return in.part, nil
	}
	for _, p := range in.pending {
		if p.i == i {
			return p.data, nil
		}
	}
	return in.obj.ReadChunk(i, nil)
}
