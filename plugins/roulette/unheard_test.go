package roulette

import (
	"math"
	"slices"
	"testing"
	"time"
)

// modem is an uplink of so many bytes a second behind a node, as wide as it is long: nothing is lost.
type modem struct {
	u      *Uplink
	rate   float64
	now    time.Duration
	free   time.Duration // when it has sent all
	stamp  uint16
	flying []passing
}

type passing struct {
	to    *link
	stamp uint16
	echo  time.Duration // when its echo is there, a round trip of 100 ms after it left the modem
	late  time.Duration // what it waited there
}

const messageSize = 1000

// send sends a message of content to l.
func (m *modem) send(l *link) {
	m.stamp++
	m.u.sent(m.now, l, m.stamp, messageSize)
	m.free = max(m.free, m.now) + time.Duration((messageSize+80)/m.rate*float64(time.Second))
	m.flying = append(m.flying, passing{l, m.stamp, m.free + 100*time.Millisecond, m.free - m.now})
}

// hear brings the echoes of what has come.
func (m *modem) hear() {
	for len(m.flying) > 0 && m.flying[0].echo <= m.now {
		f := m.flying[0]
		m.flying = m.flying[1:]
		m.u.echoed(f.to, f.stamp, ticks(f.late))
	}
}

// queue is how long the modem has still to send.
func (m *modem) queue() time.Duration { return max(0, m.free-m.now) }

// TestUplinkOfPassersByIsNotFlooded: whoever is served echoes once and is gone, so that no two echoes can be compared, and no rate is
// ever known. With uplinks of a tenth a reader that twenty newcomers found at once had seconds of content in its modem, and
// whatever it said to anybody came too late (docs/adr/0040).
func TestUplinkOfPassersByIsNotFlooded(t *testing.T) {
	p := Tuned()
	m := modem{u: NewUplink(&p, 80), rate: 10e3}
	longest, sent := time.Duration(0), 0
	for ; m.now < 30*time.Second; m.now += 5 * time.Millisecond {
		m.hear()
		for m.u.ready(m.now) && m.queue() < time.Minute {
			m.send(new(link))
			sent++
		}
		longest = max(longest, m.queue())
	}
	if !math.IsInf(m.u.Rate(), 1) {
		t.Fatalf("the rate is known to be %.0f bytes/s: the test shows nothing", m.u.Rate())
	}
	if longest > 4*time.Second {
		t.Errorf("up to %v of content waits in the modem", longest)
	}
	if used := float64(sent) * (messageSize + 80) / 30; used < 0.9*m.rate {
		t.Errorf("%.0f bytes/s of 10,000 are used", used)
	}
}

// TestUplinkThatIsNeverAnsweredIsNotSilent: nobody echoes anything.
func TestUplinkThatIsNeverAnsweredIsNotSilent(t *testing.T) {
	p := Tuned()
	m := modem{u: NewUplink(&p, 80), rate: 1e6}
	sent, at := 0, time.Duration(0)
	for ; m.now < time.Minute; m.now += 5 * time.Millisecond {
		for m.u.ready(m.now) && sent < 10_000 {
			if m.now-at > 2*time.Second {
				t.Fatalf("nothing was sent from %v to %v", at, m.now)
			}
			m.send(new(link))
			sent, at = sent+1, m.now
		}
	}
	if got := float64(sent) * (messageSize + 80); got < gridLow*50 || got > gridLow*60+2*firstWindow {
		t.Errorf("%.0f bytes in a minute, want what the slowest modem carries (%.0f), and a first window", got, gridLow*60)
	}
}

// TestUplinkOfAFastPathIsNotHeldBack: of 12.5 MB/s and a round trip of 100 ms more is on its way than the log of what was sent holds.
func TestUplinkOfAFastPathIsNotHeldBack(t *testing.T) {
	p := Tuned()
	m := modem{u: NewUplink(&p, 80), rate: 12.5e6}
	reader := new(link)
	sent, second := 0, 0
	for ; m.now < 2*time.Second; m.now += 5 * time.Millisecond {
		if m.now == time.Second {
			second = sent
		}
		for range 50 { // what the reader asks for
			if m.u.ready(m.now) {
				m.send(reader)
				sent++
			}
		}
		m.hear()
	}
	if got := sent - second; got < 9900 {
		t.Errorf("%d messages in the second second, want all 10,000", got)
	}
}

// TestUplinkThatCarriesOtherTransportsIsNotSilent: whatever else leaves the socket (BitTorrent's packets, say) is never echoed. A seed
// that had given an object so told nobody anything of its own any more, for hours (docs/adr/0043).
func TestUplinkThatCarriesOtherTransportsIsNotSilent(t *testing.T) {
	p := Tuned()
	m := modem{u: NewUplink(&p, 80), rate: 12.5e6, now: time.Second}
	m.u.Left(m.now, 64<<20)
	if !m.u.ready(m.now) {
		t.Fatalf("not a message may be sent until %v", m.u.readyAt())
	}
	reader, sent := new(link), 0
	for end := m.now + time.Second; m.now < end; m.now += 5 * time.Millisecond {
		m.hear()
		for m.u.ready(m.now) && m.queue() < 50*time.Millisecond {
			m.send(reader)
			sent++
		}
	}
	if sent < 9000 {
		t.Errorf("%d messages in a second, want nearly all 11,574", sent)
	}
}

// TestUplinkProbes: who may send no more and hears nothing sends a message after each pause, and each pause is twice the one before, up to
// two seconds; one that is heard ends the pauses.
func TestUplinkProbes(t *testing.T) {
	p := Tuned()
	m := modem{u: NewUplink(&p, 80), rate: 1e6}
	m.u.Left(0, 64<<20)
	var at []time.Duration
	for ; m.now < 10*time.Second; m.now += 5 * time.Millisecond {
		if m.u.ready(m.now) {
			m.send(new(link))
			at = append(at, m.now)
		} else if next := m.u.readyAt(); next <= m.now {
			t.Fatalf("not ready at %v, but to be asked again at %v", m.now, next)
		}
	}
	const ms = time.Millisecond
	if want := []time.Duration{250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 5750 * ms, 7750 * ms, 9750 * ms}; !slices.Equal(at, want) {
		t.Fatalf("messages at %v, want %v", at, want)
	}
	m.hear()
	if !m.u.ready(m.now) {
		t.Error("heard of the last message, and still waits")
	}
}
