package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/flynn/noise"
)

// link seals or opens the packets of one direction with the key that the
// handshake agreed on: Noise's AESGCM with the counter as nonce and, as in IPsec (RFC 4106 section 6), a tag of 12 bytes. It has a nonce buffer of
// its own, so that a packet costs no garbage, and is not safe for concurrent use.
type link struct {
	aead  cipher.AEAD
	nonce [12]byte
}

// ready reports whether the link has a key.
func (l *link) ready() bool { return l.aead != nil }

// setKey takes the key of a finished handshake.
func (l *link) setKey(cs *noise.CipherState) error {
	key := cs.UnsafeKey()
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return fmt.Errorf("session cipher: %w", err)
	}
	l.aead, err = cipher.NewGCMWithTagSize(block, aeadTag)
	return err
}

// seal seals b[dataHead:] in place; b's head is bound to it. b needs room for the tag.
func (l *link) seal(b []byte, counter uint32) []byte {
	binary.BigEndian.PutUint32(l.nonce[8:], counter)
	return l.aead.Seal(b[:dataHead], l.nonce[:], b[dataHead:], b[:dataHead])
}

// open opens a Data datagram in place and returns the packet. The
// datagram is destroyed, genuine or not.
func (l *link) open(b []byte, counter uint32) ([]byte, error) {
	binary.BigEndian.PutUint32(l.nonce[8:], counter)
	return l.aead.Open(b[dataHead:dataHead], l.nonce[:], b[dataHead:], b[:dataHead])
}

// buffers lends out room for one datagram.
type buffers struct{ pool sync.Pool }

func (p *buffers) get() *[MaxDatagram]byte {
	if b, ok := p.pool.Get().(*[MaxDatagram]byte); ok {
		return b
	}
	return new([MaxDatagram]byte)
}

func (p *buffers) put(b *[MaxDatagram]byte) { p.pool.Put(b) }
