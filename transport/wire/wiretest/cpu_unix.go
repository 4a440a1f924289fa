//go:build unix

package wiretest

import (
	"syscall"
	"time"
)

// CPUTime is what this process has used of the processors so far; 0 where the system does not say.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
