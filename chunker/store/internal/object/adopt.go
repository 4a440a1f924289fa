package object

import (
	"context"
	"fmt"
	"io"

	"nt/chunker"
)

// Fill puts every chunk of content, of which t is the whole tree, through the
// door: for an object that somebody else has begun already.
func (o *Object) Fill(ctx context.Context, t *chunker.Tree, content io.ReaderAt) error {
	h := t.Header()
	if err := o.Begin(h); err != nil {
		return err
	}
	buf := make([]byte, h.ChunkSize())
	for m := range h.NumMetaChunks() {
		p, err := t.MetaProof(m)
		if err == nil {
			err = o.AddProof(m, p)
		}
		if err != nil {
			return err
		}
		first := m * chunker.ChunksPerMeta
		for i := first; i < first+h.MetaLeaves(m); i++ {
			if err := o.copyChunk(i, buf[:h.ChunkLen(i)], content); err != nil {
				return err
			}
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o *Object) copyChunk(i int, buf []byte, content io.ReaderAt) error {
	if o.contains(i) && !o.full() {
		return nil
	}
	if n, err := content.ReadAt(buf, o.header.ChunkOffset(i)); n < len(buf) {
		return fmt.Errorf("reading chunk %d: %w", i, err)
	}
	return o.Put(i, buf)
}
