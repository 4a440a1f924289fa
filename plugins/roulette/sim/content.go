package sim

import (
	"nt/chunker"
	"nt/chunker/nois"
)

// content is a reader's object: a real tree, so that every proof is checked,
// but no bytes, for what is proved equals the original.
type content struct {
	id   chunker.ObjectID
	tree *chunker.Tree
	have nois.Set
	bad  int
}

func (c *content) Header() (chunker.Header, bool) {
	if c.tree == nil {
		return chunker.Header{}, false
	}
	return c.tree.Header(), true
}

func (c *content) Begin(h chunker.Header) error {
	if h.ID() != c.id {
		return chunker.ErrBadHeader
	}
	if c.tree == nil {
		c.tree = chunker.NewTree(h)
	}
	return nil
}

func (c *content) Have() *nois.Set        { return c.have.Clone() }
func (c *content) HasProof(meta int) bool { return c.tree.HasMeta(meta) }

func (c *content) AddProof(meta int, p chunker.MetaProof) error { return c.tree.AddProof(meta, p) }

func (c *content) MetaProof(meta int) (chunker.MetaProof, error) { return c.tree.MetaProof(meta) }

func (c *content) Put(i int, data []byte) error {
	if err := c.tree.VerifyChunk(i, data); err != nil {
		c.bad++
		return err
	}
	c.have.Add(uint32(i))
	return nil
}
