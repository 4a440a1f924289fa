package lab

import (
	"crypto/ed25519"
	"encoding/binary"

	"nt/transport"
)

// nodeKey is the identity of a node, by its number.
func nodeKey(i int) ed25519.PrivateKey {
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
	return ed25519.NewKeyFromSeed(seed[:])
}

func peerID(i int) (id transport.PeerID) {
	copy(id[:], nodeKey(i).Public().(ed25519.PublicKey))
	return id
}
