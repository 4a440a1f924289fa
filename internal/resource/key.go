package resource

import (
	"encoding/hex"
	"fmt"
)

// Key is a canonical URL as a tracker sees it: SHA-256("nt-url-v1\x00" || URL).
// It hides only URLs that cannot be guessed.
type Key [32]byte

// String returns k in lower-case hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText writes k in lower-case hexadecimal.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(b []byte) error { return decodeHex(k[:], b, "URL key") }

// WitnessKey is the Ed25519 public key of whoever signs a Statement.
type WitnessKey [32]byte

// String returns k in lower-case hexadecimal.
func (k WitnessKey) String() string { return hex.EncodeToString(k[:]) }

// Short returns the first 8 hexadecimal digits, for people.
func (k WitnessKey) Short() string { return k.String()[:8] }

// MarshalText writes k in lower-case hexadecimal.
func (k WitnessKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *WitnessKey) UnmarshalText(b []byte) error { return decodeHex(k[:], b, "witness key") }

// Signature is an Ed25519 signature.
type Signature [64]byte

// MarshalText writes s in lower-case hexadecimal.
func (s Signature) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Signature) UnmarshalText(b []byte) error { return decodeHex(s[:], b, "signature") }

func decodeHex(dst, src []byte, what string) error {
	if len(src) != 2*len(dst) {
		return fmt.Errorf("%s has %d characters, want %d hexadecimal digits", what, len(src), 2*len(dst))
	}
	if _, err := hex.Decode(dst, src); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
