package lab

import "time"

// Swarm is what the bounds are computed from. Rates are bytes per second.
type Swarm struct {
	Size    int64
	Readers int
	SeedUp  float64
	MinDown float64 // the slowest reader's downlink
	SumUp   float64 // of all readers
}

// Solo is the time one reader alone needs for the bytes: F/d.
func Solo(size int64, down float64) time.Duration { return seconds(float64(size) / down) }

// ClientServer is the least time in which one server gives an object to all: max{NF/us, F/dmin} (L1).
func (s Swarm) ClientServer() time.Duration {
	f, n := float64(s.Size), float64(s.Readers)
	return seconds(max(n*f/s.SeedUp, f/s.MinDown))
}

// PeerToPeer is the least time when readers help: max{F/us, F/dmin, NF/(us + sum ui)} (L2).
func (s Swarm) PeerToPeer() time.Duration {
	f, n := float64(s.Size), float64(s.Readers)
	return seconds(max(f/s.SeedUp, f/s.MinDown, n*f/(s.SeedUp+s.SumUp)))
}

// Bound is the least mean time of a case: for a crowd at once L2; for a stream of readers F/d, or
// what their uplinks allow: of Rate readers a second, each there for a time T, comes rate F = us + rate T ui.
func (c Case) Bound() time.Duration {
	c = c.withDefaults()
	f, d, u, us := float64(c.Size), float64(c.Kbps)*125, float64(c.UpKbps)*125, float64(c.SeedUp)*125
	if c.Rate == 0 {
		us += float64(c.Holders) * us
		return Swarm{Size: c.Size, Readers: c.Readers, SeedUp: us, MinDown: d, SumUp: float64(c.Readers) * u}.PeerToPeer()
	}
	return seconds(max(f/d, f/u-us/(c.Rate*u)))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
