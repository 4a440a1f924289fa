package modes

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		in   string
		want int64 // -1 is an error
	}{
		{"0", 0}, {"500", 500}, {"64K", 64 << 10}, {"64k", 64 << 10}, {"1M", 1 << 20}, {"1.5M", 3 << 19}, {"1G", 1 << 30},
		{"1GiB", 1 << 30}, {"2TB", 2 << 40}, {"9223372036854775807", 1<<63 - 1},
		{"", -1}, {"K", -1}, {"-1", -1}, {"1X", -1}, {"1e3", -1}, {"9223372036854775808", -1}, {"8388608T", -1}, {"1.2.3", -1}, {"0x10", -1}, {" 1", -1},
	}
	for _, tt := range tests {
		got, err := parseSize(tt.in)
		if (err != nil) != (tt.want < 0) || err == nil && got != tt.want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", tt.in, got, err, tt.want)
		}
	}
}

func TestParseSpan(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration // -1 is an error
	}{
		{"10s", 10 * time.Second}, {"1m30s", 90 * time.Second}, {"10", 10 * time.Second}, {"0.5", 500 * time.Millisecond}, {"0", 0},
		{"", -1}, {"-1s", -1}, {"-1", -1}, {"1e3", -1}, {"ten", -1}, {"99999999999999", -1},
	}
	for _, tt := range tests {
		got, err := parseSpan(tt.in)
		if (err != nil) != (tt.want < 0) || err == nil && got != tt.want {
			t.Errorf("parseSpan(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"1G", "1.5K", "", "9223372036854775807", "8388607T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSize(s); err == nil && n < 0 {
			t.Fatalf("parseSize(%q) = %d", s, n)
		}
	})
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"10s", "0.1", "", "1h", "9223372036"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseSpan(s); err == nil && d < 0 {
			t.Fatalf("parseSpan(%q) = %v", s, d)
		}
	})
}
