package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"nt/chunker"
)

// sameChunks compares a copy that is coming from peers with the first avail bytes of a flight's body, as far
// as those make whole chunks; the rest, less than a chunk, is compared when the copy is
// read on (flight.agrees). What the origin sent is lent to the copy, so peers need not send it again.
func (n *Node) sameChunks(ctx context.Context, fl *flight, c *found, avail int64) error {
	h, ok := c.obj.Header()
	if !ok || h.NumChunks() == 0 {
		return nil
	}
	if err := fl.lend(ctx, c, h, avail); err != nil {
		return err
	}
	avail -= (fl.base + avail) % int64(h.ChunkSize())
	r := c.open(ctx, fl.base)
	defer r.Close()
	copied := make([]byte, fillBlock)
	for off := int64(0); off < avail; {
		step := min(avail-off, fillBlock)
		if _, err := io.ReadFull(r, copied[:step]); err != nil {
			return fmt.Errorf("comparing a copy: %w", err)
		}
		if off += step; !bytes.Equal(fl.beginning(step, off), copied[:step]) {
			return errOtherBytes
		}
	}
	c.agreed = max(avail, 0)
	return nil
}

// lend proves what the origin sent of a copy that is coming from peers and puts it into the same
// object, as soon as the proofs are known, until all whole chunks of the first avail
// bytes are there.
func (fl *flight) lend(ctx context.Context, c *found, h chunker.Header, avail int64) error {
	if fl.base != 0 {
		return nil
	}
	in := newIntake(c.obj, h, 0, c.fetch.fromOrigin)
	for {
		changed := c.obj.Changed()
		missing, err := fl.lendWhatProves(in, avail)
		if err != nil || !missing {
			return err
		}
		select {
		case <-changed:
		case <-c.fetch.failed.Done():
			return nil // opening the copy tells why
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lendWhatProves makes one pass; missing says that some proofs are not known yet.
func (fl *flight) lendWhatProves(in *intake, avail int64) (missing bool, err error) {
	h, have := in.header, in.obj.Have()
	for i := 0; i < h.NumChunks() && h.ChunkOffset(i)+int64(h.ChunkLen(i)) <= avail; i++ {
		if have.Contains(uint32(i)) {
			continue
		}
		if !in.obj.HasProof(chunker.MetaOf(i)) {
			missing = true
			continue
		}
		data := fl.beginning(int64(h.ChunkLen(i)), h.ChunkOffset(i)+int64(h.ChunkLen(i)))
		if data == nil {
			return false, nil
		}
		if _, err := in.put(i, data); err != nil {
			return false, errors.Join(errOtherBytes, err)
		}
	}
	return missing, nil
}
