package wiretest

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// Stock is what this process has, and has used, at a moment. Heap and Resident are in bytes; Resident
// is 0 where the system does not say. CPU and At are of the moment before garbage was collected
// to count, so that it does not show in what was used before; Load leaves it out after, too.
type Stock struct {
	At             time.Time
	Heap, Resident int64
	Goroutines     int
	CPU            time.Duration

	counted    time.Time
	countedCPU time.Duration
}

// TakeStock counts, after a collection of garbage.
func TakeStock() Stock {
	s := Stock{At: time.Now(), CPU: CPUTime()}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Heap, s.Resident, s.Goroutines = int64(m.HeapAlloc), resident(), runtime.NumGoroutine()
	s.counted, s.countedCPU = time.Now(), CPUTime()
	return s
}

// Load is the processor milliseconds used in each second since before.
func (s Stock) Load(before Stock) float64 {
	return 1000 * (s.CPU - before.countedCPU).Seconds() / s.At.Sub(before.counted).Seconds()
}

func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, pages int64
	fmt.Sscan(string(b), &total, &pages)
	return pages * int64(os.Getpagesize())
}
