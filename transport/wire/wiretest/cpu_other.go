//go:build !unix

package wiretest

import "time"

// CPUTime is what this process has used of the processors so far; 0 where the system does not say.
func CPUTime() time.Duration { return 0 }
