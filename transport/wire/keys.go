package wire

import (
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"math/big"
	"slices"

	"github.com/flynn/noise"

	"nt/transport"
)

// Peers are named by Ed25519 keys and sessions need X25519 keys. Both are points
// of the same curve, so one follows from the other (RFC 7748 section 4.1); a peer
// needs no second key and an introducer no second name for it.

var errWeakKey = errors.New("wire: the peer's key is not a usable point")

// dhKey returns the X25519 key pair of an Ed25519 key (RFC 8032 section 5.1.5).
func dhKey(key ed25519.PrivateKey) (noise.DHKey, error) {
	h := sha512.Sum512(key.Seed())
	h[0] &= 248
	h[31] = h[31]&127 | 64
	var id transport.PeerID
	copy(id[:], key.Public().(ed25519.PublicKey))
	pub, err := dhPublic(id)
	return noise.DHKey{Private: slices.Clone(h[:32]), Public: pub}, err
}

// dhPublic maps y of the Edwards curve to u = (1+y)/(1-y) mod 2^255-19. Keys are
// public, so the arithmetic need not be constant in time.
func dhPublic(id transport.PeerID) ([]byte, error) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	le := slices.Clone(id[:])
	le[31] &= 0x7f
	slices.Reverse(le)
	y := new(big.Int).SetBytes(le)
	one := big.NewInt(1)
	den := new(big.Int).Sub(one, y)
	if y.Cmp(p) >= 0 || den.Mod(den, p).Sign() == 0 {
		return nil, errWeakKey
	}
	u := new(big.Int).Add(one, y)
	u.Mul(u, den.ModInverse(den, p)).Mod(u, p)
	out := u.FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out, nil
}
