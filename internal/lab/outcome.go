package lab

import "time"

func (w *World) result() Result {
	c := w.Case
	r := Result{System: w.system.Name, Wire: w.system.Wire, Kbps: c.Kbps, Size: c.Size, Rate: c.Rate, Seed: c.Seed, Runs: 1, Pool: w.watch.Largest(),
		Bound: c.Bound().Seconds()}
	seed := w.nodes[0].Host.Traffic()
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Stable = w.pool == 0 && (w.watch.Stable || c.Readers > 0)
	var all, honest, free []time.Duration
	var got, everybody int64
	for _, n := range w.nodes[1+c.Holders:] {
		everybody += n.Host.Traffic().In
		if !n.counts() {
			continue
		}
		if n.starved > 0 { // nobody owes it anything; its time is at least this
			free = append(free, n.starved-n.born)
			continue
		}
		r.Readers++
		if n.done == 0 {
			if r.Failure == "" && n.err != nil {
				r.Failure = n.err.Error()
			}
			continue
		}
		took := n.done - n.born
		all = append(all, took)
		if n.Free || n.Tyrant {
			free = append(free, took)
		} else {
			honest = append(honest, took)
		}
		got += n.traffic.In
	}
	r.Done = len(all)
	r.Stable = r.Stable && r.Done == r.Readers // who gave up has not been served
	if r.Done > 0 {
		r.Received = float64(got) / float64(r.Done) / float64(c.Size)
	}
	if everybody > 0 {
		r.SeedShare = min(1, float64(seed.Out)/float64(everybody))
	}
	r.Honest, r.Free = mean(honest), mean(free)
	r.times(all)
	r.MeanLow, r.MeanHigh, r.P95Low, r.P95High = r.Mean, r.Mean, r.P95, r.P95
	return r
}

func mean(all []time.Duration) float64 {
	sum := 0.0
	for _, t := range all {
		sum += t.Seconds()
	}
	return sum / float64(max(1, len(all)))
}
