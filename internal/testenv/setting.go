package testenv

import (
	"os"
	"strconv"
	"testing"
)

// Number returns the number that an environment variable names, or fallback if it is not set.
func Number(t testing.TB, variable string, fallback float64) float64 {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return fallback
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return v
}
