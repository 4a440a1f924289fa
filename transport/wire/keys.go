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
// needs no second key and an introducer no second name for it, and a handshake, which has the one, tells of the other a bit.

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

// primeOf25519 is the order of the field, 2^255-19.
var primeOf25519 = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// dhPublic maps y of the Edwards curve to u = (1+y)/(1-y) mod 2^255-19. Keys are
// public, so the arithmetic need not be constant in time.
func dhPublic(id transport.PeerID) ([]byte, error) {
	y := numberOf(id[:])
	one := big.NewInt(1)
	if y.Cmp(primeOf25519) >= 0 {
		return nil, errWeakKey
	}
	return quotient(new(big.Int).Add(one, y), new(big.Int).Sub(one, y))
}

// idOf is the way back: y = (u-1)/(u+1), and the sign of x, of which u knows nothing.
func idOf(dhPublic []byte, sign bool) (id transport.PeerID, err error) {
	u := numberOf(dhPublic)
	one := big.NewInt(1)
	y, err := quotient(new(big.Int).Sub(u, one), new(big.Int).Add(u, one))
	if err != nil {
		return id, err
	}
	copy(id[:], y)
	if sign {
		id[31] |= signBit
	}
	return id, nil
}

// signBit is where the last byte of an Ed25519 key has the sign of x.
const signBit = 0x80

func signOf(id transport.PeerID) bool { return id[31]&signBit != 0 }

// numberOf reads 255 bits, the lowest byte first.
func numberOf(b []byte) *big.Int {
	le := slices.Clone(b)
	le[31] &^= signBit
	slices.Reverse(le)
	return new(big.Int).SetBytes(le)
}

// quotient returns the 32 bytes of a/b in the field, the lowest first.
func quotient(a, b *big.Int) ([]byte, error) {
	if b.Mod(b, primeOf25519).Sign() == 0 {
		return nil, errWeakKey
	}
	a.Mul(a, b.ModInverse(b, primeOf25519)).Mod(a, primeOf25519)
	out := a.FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out, nil
}
