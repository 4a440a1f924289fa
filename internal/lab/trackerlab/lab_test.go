package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"

	"nt/internal/testenv"
)

func TestMain(m *testing.M) {
	beNT()
	os.Exit(m.Run())
}

func newTestLab(t *testing.T) (*lab, *bytes.Buffer) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	testenv.Alone(t)
	_, err := os.Stat("/proc/self/status")
	testenv.SkipUnless(t, err == nil, "needs Linux: peers have addresses of 127.0.0.0/8, memory is read from /proc")
	var out bytes.Buffer
	l, err := newLab("", &out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l, &out
}

// TestRow9_FloodOfARealTracker is trackerlab flood, scaled down with the cap.
func TestRow9_FloodOfARealTracker(t *testing.T) {
	l, out := newTestLab(t)
	got, err := flood(l, floodPlan{fakes: 40_000, torrents: 80_000, honest: 20, batch: 200, memory: "96M"})
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
	if got.peak > 96<<10 || got.lost != 0 || got.evicted == 0 || got.gone == 0 || got.honest != 40 {
		t.Errorf("%+v", got)
	}
}

// TestRow14_KillsOfARealTracker is trackerlab kills, scaled down: downloads go on and everybody comes
// back. How soon is for virtual time to say (tracker/client, Row14), which no other work slows down.
func TestRow14_KillsOfARealTracker(t *testing.T) {
	l, out := newTestLab(t)
	got, err := kills(l, killsPlan{kills: 10, clients: 40, downloads: 1, interval: 3 * time.Second, size: 800_000, rate: 100_000})
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.failed) != 0 || got.finished == 0 || got.through != got.finished {
		t.Errorf("%+v", got)
	}
}

// TestRow10_Row11_SlanderersAndForeignEndpoints is trackerlab slander: whoever slanders, an honest peer is
// still named, and nobody is named who does not answer, or at an address that is not his.
func TestRow10_Row11_SlanderersAndForeignEndpoints(t *testing.T) {
	l, out := newTestLab(t)
	got, err := slander(l, slanderPlan{slanderers: 200, others: 40, lookups: 60})
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
	if got.reports != 400 || got.counted < 6 || got.named != got.asked || got.namedUDP != got.askedUDP || got.askedUDP == 0 || got.alone == 0 || len(got.foreign) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestSeveralRealNodes is trackerlab nodes in a hurry: nothing wrong is answered, and
// in the end everything is there.
func TestSeveralRealNodes(t *testing.T) {
	l, out := newTestLab(t)
	_, err := exec.LookPath("redis-server")
	testenv.SkipUnless(t, err == nil, "needs redis-server")
	samples, err := nodes(l, nodesPlan{urls: 20, interval: 5 * time.Second})
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if s.wrong != 0 {
			t.Errorf("after %.1f s %d answers are wrong", s.second, s.wrong)
		}
	}
	if last := samples[len(samples)-1]; last.found != last.answers || last.nodes != 2 {
		t.Errorf("in the end: %+v", last)
	}
}
