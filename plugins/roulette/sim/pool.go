package sim

import (
	"fmt"
	"slices"
	"time"

	"nt/plugins/roulette"
)

// watch is the stabilised pool test (F46): the pool is sampled each second; every
// 10 s the maximum of the last 10 s is compared with the highest so far, and the test
// ends when it is not higher.
type watch struct {
	samples  []int
	highest  int
	stable   bool
	ended    time.Duration
	unstable bool
}

// Result is what an experiment showed. Times are in seconds.
type Result struct {
	Stable       bool
	Seconds      float64 // virtual time until the pool was stable
	Readers      int     // that took part
	Finished     int
	PoolMax      int
	Mean, P50    float64
	P95, Max     float64
	Bound        float64 // one reader alone: F/B
	Ratio        float64 // Mean / Bound
	First        float64 // mean until the object's first chunk was there
	Received     float64 // bytes received per byte of the object, headers counted, mean of the finished
	SeedShare    float64 // part of the content that came from the seed
	UplinkUse    float64 // part of the finished readers' uplinks that was used
	QueueDrops   int
	Trace        uint64
	Stats        roulette.Stats
	FreeMean     float64 // free riders and tyrants
	HonestMedian float64
	HonestMean   float64
	BytesByKind  map[string]int64 // received by anybody, per finished reader
	CountByKind  map[string]float64
}

// Run runs an experiment to its end.
func Run(cfg Config) Result {
	w := New(cfg)
	w.begin()
	for w.more() && w.Step() {
	}
	return w.result()
}

// begin plans the first reader and the first sample of the pool.
func (w *World) begin() {
	w.scheduleBirth()
	w.events.push(event{at: time.Second, kind: evSample})
}

func (w *World) more() bool {
	if w.now > w.cfg.TimeMax || w.watch.unstable {
		return false
	}
	if w.cfg.Readers > 0 {
		return w.births < w.cfg.Readers || w.pool > 0
	}
	return !w.stop || w.pool > 0
}

// crowdTime is within what time a crowd of one shot comes.
const crowdTime = 100 * time.Millisecond

// scheduleBirth plans the next reader: one in each 1/Rate, at a random moment of it.
func (w *World) scheduleBirth() {
	if w.cfg.Readers > 0 && w.births >= w.cfg.Readers {
		return
	}
	slot := float64(time.Second) / w.cfg.Rate
	if w.cfg.Rate == 0 {
		slot = float64(crowdTime) / float64(w.cfg.Readers)
	}
	at := time.Duration((float64(w.births) + w.rng.Float64()) * slot)
	w.events.push(event{at: max(at, w.now), kind: evBirth})
}

func (w *World) sample() {
	t := &w.watch
	t.samples = append(t.samples, w.pool)
	if w.pool > w.cfg.PoolMax {
		t.unstable = true
	}
	w.events.push(event{at: w.now + time.Second, kind: evSample})
	if w.stop || len(t.samples)%10 != 0 {
		return
	}
	last := slices.Max(t.samples[len(t.samples)-10:])
	if last > t.highest {
		t.highest = last
		return
	}
	t.stable, t.ended = true, w.now
	w.stop = w.cfg.Readers == 0
}

func (w *World) result() Result {
	r := Result{Stable: w.watch.stable && w.pool == 0, Seconds: w.watch.ended.Seconds(), Trace: w.trace, QueueDrops: w.drops, Stats: w.stats,
		BytesByKind: map[string]int64{}, CountByKind: map[string]float64{}}
	if len(w.watch.samples) > 0 {
		r.PoolMax = slices.Max(w.watch.samples)
	}
	r.Bound = float64(w.cfg.Size) / (w.cfg.Down * 125)
	var times, honest, free []float64
	var got, sent, room, first float64
	for _, h := range w.hosts[1:] {
		if !h.counts() {
			continue
		}
		r.Readers++
		if h.doneAt == 0 {
			continue
		}
		took := (h.doneAt - h.born).Seconds()
		times = append(times, took)
		first += (h.firstAt - h.born).Seconds()
		if h.free || h.tyrant {
			free = append(free, took)
		} else {
			honest = append(honest, took)
		}
		got += float64(h.received)
		sent += float64(h.sent)
		room += took * h.up.rate
	}
	r.Finished = len(times)
	if r.Finished == 0 {
		return r
	}
	slices.Sort(times)
	slices.Sort(honest)
	at := func(v []float64, q float64) float64 { return v[min(int(q*float64(len(v))), len(v)-1)] }
	r.Mean, r.P50, r.P95, r.Max = mean(times), at(times, 0.5), at(times, 0.95), times[len(times)-1]
	r.Ratio = r.Mean / r.Bound
	r.First = first / float64(r.Finished)
	r.Received = got / float64(r.Finished) / float64(w.cfg.Size)
	r.SeedShare = float64(w.bySeed) / float64(max(w.data, 1))
	r.UplinkUse = sent / room
	r.FreeMean, r.HonestMean = mean(free), mean(honest)
	if len(honest) > 0 {
		r.HonestMedian = at(honest, 0.5)
	}
	for k := range w.kinds {
		if w.kinds[k] > 0 {
			r.BytesByKind[roulette.Kind(k).String()] = w.kinds[k] / int64(w.births)
			r.CountByKind[roulette.Kind(k).String()] = float64(w.counts[k]) / float64(w.births)
		}
	}
	return r
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// Line is the report of the lab: one line per system and case.
func (r Result) Line(system string, cfg Config) string {
	cfg = cfg.withDefaults()
	return fmt.Sprintf("%s wire=mem kbps=%.0f size=%d rate=%g mean_s=%.2f p95_s=%.2f bound_s=%.2f ratio=%.2f received_per_byte=%.3f seed_share=%.3f",
		system, cfg.Down, cfg.Size, cfg.Rate, r.Mean, r.P95, r.Bound, r.Ratio, r.Received, r.SeedShare)
}
