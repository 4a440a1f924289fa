package ops

import (
	"fmt"
	"os"
	"runtime"
)

// resident returns the process's resident memory in bytes; where /proc does not
// say, what the runtime has of the system.
func resident() int64 {
	var size, pages int64
	b, err := os.ReadFile("/proc/self/statm")
	if _, bad := fmt.Sscan(string(b), &size, &pages); err == nil && bad == nil {
		return pages * int64(os.Getpagesize())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
