package memory

import (
	"encoding/binary"

	"nt/chunker"
	"nt/internal/resource"
)

// statementSize estimates what keeping a statement costs, in bytes.
func statementSize(st resource.Statement) int64 {
	n := int64(contentCost + keptCost + 32 + 64 + 20 + 1)
	if !st.Place.IsZero() {
		n += placeSize
	}
	for name, values := range st.Header {
		for _, v := range values {
			n += int64(len(name) + len(v) + 4)
		}
	}
	return n
}

// placeSize is what a place takes, in bytes at most.
const placeSize = 8 + 5 + 32

// encodeStatement returns witness, signature, size, status, time, place and header
// fields; key and object are known from the place it is kept in.
func encodeStatement(st resource.Statement) []byte {
	b := make([]byte, 0, statementSize(st)-contentCost-keptCost)
	b = append(b, st.Witness[:]...)
	b = append(b, st.Signature[:]...)
	b = binary.AppendVarint(b, st.Size)
	b = binary.AppendVarint(b, int64(st.Status))
	b = binary.AppendVarint(b, st.ObservedAt)
	b = appendPlace(b, st.Place)
	for name, values := range st.Header {
		for _, v := range values {
			b = appendString(appendString(b, name), v)
		}
	}
	return b
}

// appendPlace writes a place's number, 0 for none, and if there is one the rest.
func appendPlace(b []byte, p resource.Place) []byte {
	b = binary.AppendUvarint(b, uint64(p.Seq))
	if p.Seq != 0 {
		b = append(binary.BigEndian.AppendUint64(b, uint64(p.Log)), p.Prev[:]...)
	}
	return b
}

func cutPlace(b []byte) (p resource.Place, rest []byte, ok bool) {
	seq, n := binary.Uvarint(b)
	if n <= 0 || seq > 1<<32-1 {
		return p, nil, false
	}
	if b = b[n:]; seq == 0 {
		return p, b, true
	}
	if len(b) < 8+len(p.Prev) {
		return p, nil, false
	}
	p.Seq, p.Log = uint32(seq), int64(binary.BigEndian.Uint64(b))
	return p, b[8+copy(p.Prev[:], b[8:]):], true
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeStatement reads what encodeStatement wrote.
func decodeStatement(key resource.Key, object chunker.ObjectID, raw []byte) (st resource.Statement, ok bool) {
	st = resource.Statement{Key: key, Object: object, Header: map[string][]string{}}
	if len(raw) < len(st.Witness)+len(st.Signature) {
		return st, false
	}
	raw = raw[copy(st.Witness[:], raw):]
	raw = raw[copy(st.Signature[:], raw):]
	for i, into := range [...]*int64{&st.Size, new(int64), &st.ObservedAt} {
		v, n := binary.Varint(raw)
		if n <= 0 {
			return st, false
		}
		*into, raw = v, raw[n:]
		if i == 1 {
			st.Status = int(v)
		}
	}
	if st.Place, raw, ok = cutPlace(raw); !ok {
		return st, false
	}
	for len(raw) > 0 {
		var name, value string
		if name, raw, ok = cutString(raw); ok {
			value, raw, ok = cutString(raw)
		}
		if !ok {
			return st, false
		}
		st.Header[name] = append(st.Header[name], value)
	}
	return st, true
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > uint64(len(b)-n) {
		return "", nil, false
	}
	return string(b[n : n+int(v)]), b[n+int(v):], true
}
