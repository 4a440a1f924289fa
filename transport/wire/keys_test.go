package wire

import (
	"bytes"
	"crypto/ed25519"
	"math/big"
	"slices"
	"testing"

	"nt/transport"
)

// A peer's name follows from the key of a handshake and a bit, for keys of either sign.
func TestNameFollowsFromSessionKey(t *testing.T) {
	signs := map[bool]int{}
	for n := range byte(32) {
		key := ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
		id := transport.PeerID(key.Public().(ed25519.PublicKey))
		dh, err := dhKey(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := idOf(dh.Public, signOf(id))
		if err != nil || got != id {
			t.Errorf("key %d: %x (%v), want %x", n, got, err, id)
		}
		other, err := idOf(dh.Public, !signOf(id))
		if back, _ := dhPublic(other); err != nil || other == id || !bytes.Equal(back, dh.Public) {
			t.Errorf("key %d, the other sign: %x (%v)", n, other, err)
		}
		signs[signOf(id)]++
	}
	if len(signs) != 2 {
		t.Errorf("signs seen: %v", signs)
	}
	none := new(big.Int).Sub(primeOf25519, big.NewInt(1)).FillBytes(make([]byte, 32)) // u = -1 is no point of the Edwards curve
	slices.Reverse(none)
	if id, err := idOf(none, false); err == nil {
		t.Errorf("%x has the name %x", none, id)
	}
}
