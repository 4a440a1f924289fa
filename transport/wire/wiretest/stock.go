package wiretest

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// Stock is what this process has, and has used, at a moment. Heap and Resident are in bytes; Resident
// is 0 where the system does not say.
type Stock struct {
	At             time.Time
	Heap, Resident int64
	Goroutines     int
	CPU            time.Duration
}

// TakeStock counts, after a collection of garbage.
func TakeStock() Stock {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Stock{time.Now(), int64(m.HeapAlloc), resident(), runtime.NumGoroutine(), CPUTime()}
}

// Load is the processor milliseconds used in each second since before.
func (s Stock) Load(before Stock) float64 {
	return 1000 * (s.CPU - before.CPU).Seconds() / s.At.Sub(before.At).Seconds()
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
