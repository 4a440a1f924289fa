package modes

import (
	"os"

	"golang.org/x/sys/windows"
)

// openNoFollow is 0: os.Root does not leave the directory anyway.
const openNoFollow = 0

// lockFile takes the file for this process until it is closed; it fails at once
// if another has it. The lock is far behind the content, because on Windows a
// locked range cannot be read by others.
func lockFile(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: 1 << 30}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
}
