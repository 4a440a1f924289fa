package chunker

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Specification constants: changing one changes every ObjectID.
const (
	// HashSize is the length of every hash of the tree and of an ObjectID, in bytes.
	HashSize = sha256.Size
	// MinChunkSize and MaxChunkSize bound ChunkSize, in bytes.
	MinChunkSize = 1 << 10
	MaxChunkSize = 64 << 10
	// SmallObjectChunks is how many chunks an object may have before its chunk size doubles.
	SmallObjectChunks = 4096
	// ChunksPerMeta is how many chunks make a MetaChunk (F23).
	ChunksPerMeta = 16
	// MaxObjectSize bounds what may be named, in bytes: 64 GiB, so that a
	// chunk number always fits 20 bits and a hostile header cannot ask for more.
	MaxObjectSize = 64 << 30
	// HeaderSize is the length of the header's wire form, in bytes.
	HeaderSize = 1 + 8 + 4 + HashSize + HashSize

	headerVersion = 1
)

// Hash is one SHA-256 value. The zero Hash stands for "not known".
type Hash [HashSize]byte

// IsZero reports whether h is the zero Hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns h in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ObjectID names immutable bytes: the SHA-256 of the object's header
// (Flashback's File-ID, F22). The same bytes have the same ObjectID everywhere.
type ObjectID [HashSize]byte

// String returns id in lower-case hexadecimal.
func (id ObjectID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes id in lower-case hexadecimal, for JSON and TOML.
func (id ObjectID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ObjectID) UnmarshalText(b []byte) error {
	got, err := ParseObjectID(string(b))
	if err != nil {
		return err
	}
	*id = got
	return nil
}

// ParseObjectID reads the 64 hexadecimal digits of an ObjectID.
func ParseObjectID(s string) (ObjectID, error) {
	var id ObjectID
	if len(s) != 2*HashSize {
		return id, fmt.Errorf("object ID has %d characters, want %d hexadecimal digits", len(s), 2*HashSize)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ObjectID{}, fmt.Errorf("object ID: %w", err)
	}
	return id, nil
}

// ErrBadHeader reports an FMD header that is malformed, or not canonical.
var ErrBadHeader = errors.New("chunker: bad header")

// Header is the fixed part of an object's FileMetaData (F22). Its wire form is
// canonical, and the SHA-256 of it is the ObjectID, so a Header that matches a
// trusted ObjectID is trusted.
type Header struct {
	Size   int64 // bytes of the object
	Root   Hash  // root of the hash tree; of the empty object: SHA-256 of nothing
	SHA256 Hash  // plain SHA-256 of the whole object (F24)
}

// ChunkSize returns the chunk size of an object of the given size, in bytes:
// 1 KiB while that gives at most 4,096 chunks, doubling up to 64 KiB. It is a
// function of the size alone, so that cutting never depends on who cuts.
func ChunkSize(size int64) int {
	cs := int64(MinChunkSize)
	for cs < MaxChunkSize && size > cs*SmallObjectChunks {
		cs *= 2
	}
	return int(cs)
}

// ChunkSize returns the object's chunk size in bytes.
func (h Header) ChunkSize() int { return ChunkSize(h.Size) }

// NumChunks returns how many chunks the object has; 0 for the empty object.
func (h Header) NumChunks() int {
	cs := int64(h.ChunkSize())
	return int((h.Size + cs - 1) / cs)
}

// NumMetaChunks returns how many MetaChunks the object has.
func (h Header) NumMetaChunks() int {
	return (h.NumChunks() + ChunksPerMeta - 1) / ChunksPerMeta
}

// ChunkOffset returns where chunk i starts in the object, in bytes.
func (h Header) ChunkOffset(i int) int64 { return int64(i) * int64(h.ChunkSize()) }

// ChunkLen returns the length of chunk i in bytes, or 0 if there is no chunk i.
func (h Header) ChunkLen(i int) int {
	if i < 0 || i >= h.NumChunks() {
		return 0
	}
	return int(min(int64(h.ChunkSize()), h.Size-h.ChunkOffset(i)))
}

// MetaLeaves returns how many chunks MetaChunk m has: 16, or fewer for the last.
func (h Header) MetaLeaves(m int) int {
	if m < 0 || m >= h.NumMetaChunks() {
		return 0
	}
	return min(ChunksPerMeta, h.NumChunks()-m*ChunksPerMeta)
}

// MetaOf returns the number of the MetaChunk that chunk i belongs to.
func MetaOf(i int) int { return i / ChunksPerMeta }

// ID returns the ObjectID that h stands for.
func (h Header) ID() ObjectID {
	var buf [HeaderSize]byte
	return sha256.Sum256(h.AppendBinary(buf[:0]))
}

// AppendBinary appends the canonical wire form, HeaderSize bytes: version,
// size (8 bytes), chunk size (4 bytes), root, SHA-256; integers big-endian.
func (h Header) AppendBinary(b []byte) []byte {
	b = append(b, headerVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Size))
	b = binary.BigEndian.AppendUint32(b, uint32(h.ChunkSize()))
	b = append(b, h.Root[:]...)
	return append(b, h.SHA256[:]...)
}

// ParseHeader reads the wire form. It refuses any other length, version, size
// or chunk size than AppendBinary writes, wrapping ErrBadHeader.
func ParseHeader(b []byte) (Header, error) {
	if len(b) != HeaderSize {
		return Header{}, fmt.Errorf("%w: %d bytes, want %d", ErrBadHeader, len(b), HeaderSize)
	}
	if b[0] != headerVersion {
		return Header{}, fmt.Errorf("%w: version %d is not known", ErrBadHeader, b[0])
	}
	h := Header{Size: int64(binary.BigEndian.Uint64(b[1:]))}
	copy(h.Root[:], b[13:])
	copy(h.SHA256[:], b[13+HashSize:])
	if err := h.Check(); err != nil {
		return Header{}, err
	}
	if cs := binary.BigEndian.Uint32(b[9:]); int64(cs) != int64(h.ChunkSize()) {
		return Header{}, fmt.Errorf("%w: chunk size %d, want %d for %d bytes", ErrBadHeader, cs, h.ChunkSize(), h.Size)
	}
	return h, nil
}

// Check wraps ErrBadHeader unless ParseHeader would accept what h stands for. It
// is for headers that came by another way: a wrong size makes for a huge Tree.
//
// Hashes no content has are refused: the zero Hash, which stands for "not known"
// all over this package, and any for the empty object but those of nothing.
func (h Header) Check() error {
	if h.Size < 0 || h.Size > MaxObjectSize {
		return fmt.Errorf("%w: size %d is not within 0 to %d bytes", ErrBadHeader, h.Size, int64(MaxObjectSize))
	}
	if h.Root.IsZero() || h.SHA256.IsZero() {
		return fmt.Errorf("%w: a hash is missing", ErrBadHeader)
	}
	if none := emptyRoot(); h.Size == 0 && (h.Root != none || h.SHA256 != none) {
		return fmt.Errorf("%w: the empty object has other hashes", ErrBadHeader)
	}
	return nil
}

// ParseHeaderFor reads a header and checks that it is the one id names.
func ParseHeaderFor(id ObjectID, b []byte) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return Header{}, err
	}
	if h.ID() != id {
		return Header{}, fmt.Errorf("%w: it belongs to object %s, not %s", ErrBadHeader, h.ID(), id)
	}
	return h, nil
}
