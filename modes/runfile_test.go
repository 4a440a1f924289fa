package modes

import (
	"errors"
	"testing"
)

func TestRunningPeerIsKnownWhileItHoldsTheLock(t *testing.T) {
	env := environ{"XDG_RUNTIME_DIR": t.TempDir(), "XDG_CACHE_HOME": "/cache"}
	a := &app{env: env}
	if _, err := env.runningPeer(); !errors.Is(err, errNotRunning) {
		t.Fatalf("before: %v", err)
	}
	held, err := env.publish(running{PID: 1, Cache: "/somewhere"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := env.runningPeer(); err != nil || r.Cache != "/somewhere" {
		t.Errorf("while it runs: %+v, %v", r, err)
	}
	if dir, err := a.cachePath(); err != nil || dir != "/somewhere" {
		t.Errorf("cachePath() = %q, %v", dir, err)
	}
	if _, err := env.publish(running{}); err == nil {
		t.Error("a second peer took the same file")
	}
	held.Close()
	if _, err := env.runningPeer(); !errors.Is(err, errNotRunning) {
		t.Errorf("after: %v", err)
	}
	if dir, err := a.cachePath(); err != nil || dir != "/cache/nt" {
		t.Errorf("cachePath() = %q, %v", dir, err)
	}
	a.common.Cache = "/flag"
	if dir, err := a.cachePath(); err != nil || dir != "/flag" {
		t.Errorf("cachePath() = %q, %v", dir, err)
	}
}
