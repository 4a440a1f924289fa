package nois

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// MaxWireIntervals is how many intervals one message may carry (F28, security row 39).
	MaxWireIntervals = 8
	// MaxBitmapChunks is the largest object that may be told as a bitmap, in
	// chunks: 1 KiB, which still leaves room in one datagram.
	MaxBitmapChunks = 8192
)

// ErrBadIntervals reports a wire form that is malformed or not canonical.
var ErrBadIntervals = errors.New("nois: bad intervals")

// AppendTop appends the k longest intervals, at most MaxWireIntervals:
//
//	uvarint count, then for each interval
//	uvarint how far its start is from the end of the one before (of the first: from 0), uvarint length-1
func (s *Set) AppendTop(b []byte, k int) []byte {
	return appendIntervals(b, s.Top(min(k, MaxWireIntervals), unused))
}

func appendIntervals(b []byte, ivs []Interval) []byte {
	b = binary.AppendUvarint(b, uint64(len(ivs)))
	var end uint32
	for _, iv := range ivs {
		b = binary.AppendUvarint(b, uint64(iv.Start-end))
		b = binary.AppendUvarint(b, uint64(iv.End-iv.Start-1))
		end = iv.End
	}
	return b
}

// ParseIntervals reads what AppendTop wrote about an object of limit chunks and
// returns what follows. It wraps ErrBadIntervals unless there are at most
// MaxWireIntervals intervals, in order, not touching, not over limit, each
// number in its shortest form.
func ParseIntervals(b []byte, limit uint32) (ivs []Interval, rest []byte, err error) {
	count, b, err := cutUvarint(b, MaxWireIntervals)
	if err != nil {
		return nil, nil, fmt.Errorf("number of intervals: %w", err)
	}
	ivs = make([]Interval, 0, count)
	for end := uint32(0); uint32(len(ivs)) < count; {
		var gap, more uint32
		if gap, b, err = cutUvarint(b, limit-end); err != nil {
			return nil, nil, fmt.Errorf("start of interval %d: %w", len(ivs), err)
		}
		start := end + gap
		if start == limit || gap == 0 && len(ivs) > 0 {
			return nil, nil, fmt.Errorf("%w: interval %d starts at %d", ErrBadIntervals, len(ivs), start)
		}
		if more, b, err = cutUvarint(b, limit-start-1); err != nil {
			return nil, nil, fmt.Errorf("length of interval %d: %w", len(ivs), err)
		}
		end = start + more + 1
		ivs = append(ivs, Interval{start, end})
	}
	return ivs, b, nil
}

// cutUvarint reads one number of at most limit in its shortest form.
func cutUvarint(b []byte, limit uint32) (uint32, []byte, error) {
	v, n := binary.Uvarint(b)
	switch {
	case n <= 0:
		return 0, nil, fmt.Errorf("%w: no number", ErrBadIntervals)
	case n > 1 && b[n-1] == 0:
		return 0, nil, fmt.Errorf("%w: number is not in its shortest form", ErrBadIntervals)
	case v > uint64(limit):
		return 0, nil, fmt.Errorf("%w: %d is over %d", ErrBadIntervals, v, limit)
	}
	return uint32(v), b[n:], nil
}

// BitmapSize returns the length of the bitmap of an object of limit chunks, in bytes.
func BitmapSize(limit uint32) int { return int((uint64(limit) + 7) / 8) }

// AppendBitmap appends one bit for each of the chunks below limit, which must be
// at most MaxBitmapChunks; chunk i is bit i%8 (counted from the lowest) of byte i/8.
func (s *Set) AppendBitmap(b []byte, limit uint32) []byte {
	limit = min(limit, MaxBitmapChunks)
	base := len(b)
	b = append(b, make([]byte, BitmapSize(limit))...)
	for iv := range s.All() {
		if iv.Start >= limit {
			break
		}
		for i := iv.Start; i < min(iv.End, limit); i++ {
			b[base+int(i/8)] |= 1 << (i % 8)
		}
	}
	return b
}

// ParseBitmap reads what AppendBitmap wrote about an object of limit chunks and
// returns what follows. It wraps ErrBadIntervals if limit is over
// MaxBitmapChunks, b is too short, or a bit at or after limit is set.
func ParseBitmap(b []byte, limit uint32) (s *Set, rest []byte, err error) {
	size := BitmapSize(limit)
	if limit > MaxBitmapChunks || len(b) < size {
		return nil, nil, fmt.Errorf("%w: bitmap of %d chunks in %d bytes", ErrBadIntervals, limit, len(b))
	}
	if limit%8 != 0 && b[size-1]>>(limit%8) != 0 {
		return nil, nil, fmt.Errorf("%w: bitmap goes on after %d chunks", ErrBadIntervals, limit)
	}
	s = new(Set)
	for i := uint32(0); i < limit; i++ {
		if b[i/8]&(1<<(i%8)) != 0 {
			s.Add(i)
		}
	}
	return s, b[size:], nil
}

// Tags of the summary's two forms.
const (
	tagIntervals = 0
	tagBitmap    = 1
)

// AppendSummary appends what s holds of an object of limit chunks, in one byte
// that says which form follows and the shorter form: the 8 longest intervals,
// or the bitmap, which is taken when both are as long because it leaves nothing out.
func (s *Set) AppendSummary(b []byte, limit uint32) []byte {
	base := len(b)
	b = append(b, tagIntervals)
	b = appendIntervals(b, s.Top(MaxWireIntervals, limit))
	if limit > MaxBitmapChunks || len(b)-base-1 < BitmapSize(limit) {
		return b
	}
	return s.AppendBitmap(append(b[:base], tagBitmap), limit)
}

// ParseSummary reads what AppendSummary wrote about an object of limit chunks
// and returns what follows. It wraps ErrBadIntervals.
func ParseSummary(b []byte, limit uint32) (s *Set, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, fmt.Errorf("%w: nothing there", ErrBadIntervals)
	}
	switch b[0] {
	case tagIntervals:
		ivs, rest, err := ParseIntervals(b[1:], limit)
		if err != nil {
			return nil, nil, err
		}
		return Of(ivs...), rest, nil
	case tagBitmap:
		return ParseBitmap(b[1:], limit)
	}
	return nil, nil, fmt.Errorf("%w: form %d is not known", ErrBadIntervals, b[0])
}
