package modes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// size is a number of bytes on the command line: 500, 64K, 1.5M, 1G, powers of
// 1024 as in curl.
type size int64

// UnmarshalText reads a size.
func (s *size) UnmarshalText(b []byte) error {
	n, err := parseSize(string(b))
	*s = size(n)
	return err
}

// parseSize reads a size of 0 or more.
func parseSize(text string) (int64, error) {
	digits, unit := strings.TrimSuffix(strings.TrimSuffix(text, "iB"), "B"), int64(1)
	if digits != "" {
		if i := strings.IndexByte("KMGT", digits[len(digits)-1]&^0x20); i >= 0 {
			digits, unit = digits[:len(digits)-1], 1<<(10*(i+1))
		}
	}
	if digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, fmt.Errorf("size %q is not a number with K, M, G or T", text)
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if n > math.MaxInt64/unit {
			return 0, fmt.Errorf("size %q is too large", text)
		}
		return n * unit, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, fmt.Errorf("size %q is not a number with K, M, G or T", text)
	}
	if f*float64(unit) >= 1<<62 {
		return 0, fmt.Errorf("size %q is too large", text)
	}
	return int64(f * float64(unit)), nil
}

// span is a duration on the command line: 10s, 1m30s, or 10 and 0.5 for seconds
// as in curl.
type span time.Duration

// UnmarshalText reads a span.
func (s *span) UnmarshalText(b []byte) error {
	d, err := parseSpan(string(b))
	*s = span(d)
	return err
}

// parseSpan reads a duration of 0 or more.
func parseSpan(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if text == "" || strings.Trim(text, "0123456789.") != "" {
			return 0, fmt.Errorf("duration %q is neither like 10s nor a number of seconds", text)
		}
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil {
		return 0, fmt.Errorf("duration %q is neither like 10s nor a number of seconds", text)
	}
	if d < 0 {
		return 0, fmt.Errorf("duration %q is negative", text)
	}
	return d, nil
}
