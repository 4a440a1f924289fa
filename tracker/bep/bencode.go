package bep

import "strconv"

// appendString appends a bencoded string.
func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

// appendInt appends a bencoded integer.
func appendInt(b []byte, n int64) []byte {
	b = append(b, 'i')
	b = strconv.AppendInt(b, n, 10)
	return append(b, 'e')
}

// appendFailure appends the dictionary of a refused request.
func appendFailure(b []byte, why refusal) []byte {
	b = append(b, "d14:failure reason"...)
	return append(appendString(b, why), 'e')
}
