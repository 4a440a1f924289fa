//go:build unix

package modes

import (
	"os"
	"os/signal"
	"syscall"
)

// onReload calls f at every SIGHUP, one after the other, until stop.
func onReload(f func()) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(signals); close(done) }
}
