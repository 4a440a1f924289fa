package notary

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nt/internal/resource"
)

var start = time.Unix(1_800_000_000, 0)

// drain pops what may be done at once, and says after each that it is done.
func drain(q *queue, now time.Time) (n int) {
	for {
		j, _, ok := q.pop(now)
		if !ok {
			return n
		}
		q.done(j)
		n++
	}
}

func TestRow12_AFloodIsAskedAboutOncePerIntervalAndABurst(t *testing.T) {
	const burst = 40
	q := newQueue(pace{time.Second, burst}, time.Hour)
	asked := map[string]int{}
	for ms := range 100_000 { // a thousand announcements a second for a hundred seconds
		now := start.Add(time.Duration(ms) * time.Millisecond)
		u := parse(t, fmt.Sprintf("http://victim%d.example.org/%d", ms%2, ms))
		q.push(now, job{u, resource.Statement{Key: u.Key()}})
		if j, _, ok := q.pop(now); ok {
			asked[j.url.Origin()]++
			q.done(j)
		}
		if q.size > 2*maxPerOrigin {
			t.Fatalf("%d jobs wait for two origins", q.size)
		}
	}
	if len(asked) != 2 {
		t.Fatalf("asked %v", asked)
	}
	for origin, n := range asked {
		if n < 100 || n > 100+burst {
			t.Errorf("%s was asked %d times in 100 s, want 100 and a burst of %d", origin, n, burst)
		}
	}
}

// A page and its parts are looked at as they come, by default; what pays that off is silence.
func TestAPageAndItsPartsWaitForNothing(t *testing.T) {
	cfg := Config{}
	setDefaults(&cfg)
	q := newQueue(pace{cfg.Interval, cfg.Burst}, cfg.Again)
	page := func(now time.Time, name string) int {
		for i := range 31 {
			u := parse(t, fmt.Sprintf("http://example.org/%s/%d", name, i))
			if got := q.push(now, job{u, resource.Statement{Key: u.Key(), Size: 20 << 10}}); got != "queued" {
				t.Fatalf("part %d: %s", i, got)
			}
		}
		return drain(q, now)
	}
	if n := page(start, "a"); n != 31 {
		t.Errorf("%d of 31 looks at once", n)
	}
	if n := page(start, "b"); n != 9 {
		t.Errorf("%d looks of the second page at once, want what the burst leaves", n)
	}
	if n := drain(q, start.Add(22*time.Second)); n != 22 {
		t.Errorf("%d looks in the next 22 s", n)
	}
	if n := page(start.Add(62*time.Second), "c"); n != 31 {
		t.Errorf("%d of 31 looks after a pause", n)
	}
}

// What is large counts as many: the origin pays for bytes, too.
func TestRow12_LargeObjectsCostMore(t *testing.T) {
	q := newQueue(pace{time.Second, 40}, time.Hour)
	for i := range 40 {
		u := parse(t, fmt.Sprintf("http://example.org/%d.iso", i))
		q.push(start, job{u, resource.Statement{Key: u.Key(), Size: 256 << 20}})
	}
	bytes := int64(0)
	for s := range 600 {
		bytes += int64(drain(q, start.Add(time.Duration(s)*time.Second))) * 256 << 20
	}
	if most := int64(600+2*257) << 20; bytes == 0 || bytes > most {
		t.Errorf("%d bytes in 600 s, want at most %d", bytes, most)
	}
}

// One origin that hangs holds two workers, not all.
func TestAnOriginThatHangsDoesNotTakeAllWorkers(t *testing.T) {
	q := newQueue(pace{time.Second, 40}, time.Hour)
	push := func(raw string) {
		u := parse(t, raw)
		q.push(start, job{u, resource.Statement{Key: u.Key()}})
	}
	for i := range 10 {
		push(fmt.Sprintf("http://tarpit.example.org/%d", i))
	}
	var running []job
	for {
		j, wait, ok := q.pop(start)
		if !ok {
			if wait != 0 {
				t.Errorf("waits %s for what runs", wait)
			}
			break
		}
		running = append(running, j)
	}
	if len(running) != maxBusy {
		t.Fatalf("%d looks at once", len(running))
	}
	push("http://example.org/")
	if j, _, ok := q.pop(start); !ok || j.url.Host() != "example.org" {
		t.Error("another origin has to wait")
	}
	q.done(running[0])
	if _, _, ok := q.pop(start); !ok {
		t.Error("the origin is not asked again")
	}
}

func TestRow12_ManyNamesOfOneAddressArePacedTogether(t *testing.T) {
	const burst = 10
	p := newPacer(pace{time.Second, burst})
	a := netip.MustParseAddr("192.0.2.1")
	for i := range burst + maxLag {
		want := max(0, time.Duration(i-burst+1)*time.Second)
		if wait, ok := p.reserve(start, a, 1); !ok || wait != want {
			t.Fatalf("turn %d: wait %s, %v, want %s", i, wait, ok, want)
		}
	}
	p.reserve(start, a, 1)
	if _, ok := p.reserve(start, a, 1); ok {
		t.Error("turns can be booked without end")
	}
	if wait, ok := p.reserve(start, netip.MustParseAddr("192.0.2.2"), 1); !ok || wait != 0 {
		t.Error("another address has to wait")
	}
}

func TestSameClaimIsNotLookedAtTwice(t *testing.T) {
	q := newQueue(pace{time.Second, 1}, time.Hour)
	now := start
	u := parse(t, "http://example.org/a")
	j := job{u, resource.Statement{Key: u.Key()}}
	for i, c := range []struct {
		at   time.Duration
		want string
	}{{0, "queued"}, {0, "known"}, {59 * time.Minute, "known"}, {time.Hour, "queued"}} {
		if got := q.push(now.Add(c.at), j); got != c.want {
			t.Errorf("push %d: %s, want %s", i, got, c.want)
		}
		if j, _, ok := q.pop(now.Add(c.at)); ok {
			q.done(j)
		}
	}
	for i := range 2 * maxPerKey { // other claims of the same URL
		j.claim.Object[0] = byte(i + 1)
		if got, want := q.push(now.Add(2*time.Hour), j), map[bool]string{true: "queued", false: "dropped"}[i < maxPerKey]; got != want {
			t.Errorf("claim %d: %s, want %s", i, got, want)
		}
	}
}

func TestMemoryOfClaimsIsBounded(t *testing.T) {
	q := newQueue(pace{time.Second, 1}, time.Hour)
	for i := range 3 * maxRecent {
		var c claim
		c.key[0], c.key[1], c.key[2] = byte(i), byte(i>>8), byte(i>>16)
		q.remember(c, time.Unix(1, 0))
	}
	if n := len(q.recent) + len(q.older); n > 2*maxRecent {
		t.Errorf("%d claims are remembered", n)
	}
}
