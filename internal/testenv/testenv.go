// Package testenv owns what tests ask of where they run: what may be skipped there, what its environment
// says, what its network has. A test that needs root, a namespace, a browser or a server skips with its reason on
// a machine without; where NT_CI is set nothing skips, so that a test which
// never runs cannot pass for one that does.
package testenv

import (
	"os"
	"testing"
)

// SkipUnless skips the test with the reason unless ok; with NT_CI set it fails
// the test instead.
func SkipUnless(t testing.TB, ok bool, reason string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("NT_CI") != "":
		t.Fatalf("this test must run here (NT_CI is set): %s", reason)
	default:
		t.Skip(reason)
	}
}

// NeedRoot skips unless the test runs as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	SkipUnless(t, os.Geteuid() == 0, "needs root")
}

// Alone skips a test of many real processes whose outcome depends on having the machine to
// itself, unless NT_ALONE is set. .ci/run has a step for these tests, one after the other.
func Alone(t testing.TB) {
	t.Helper()
	if os.Getenv("NT_ALONE") == "" {
		t.Skip("needs the machine for itself: set NT_ALONE=1")
	}
}
