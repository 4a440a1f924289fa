package simnet

import (
	"sync"
	"time"
)

// deadline is a moment that can be waited for and moved.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{} // closed when the moment has come
}

func newDeadline() deadline { return deadline{over: make(chan struct{})} }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // the timer has fired: wait for it to close the channel
	}
	d.timer = nil
	over := isClosed(d.over)
	if t.IsZero() || time.Until(t) > 0 {
		if over {
			d.over = make(chan struct{})
		}
		if !t.IsZero() {
			c := d.over
			d.timer = time.AfterFunc(time.Until(t), func() { close(c) })
		}
		return
	}
	if !over {
		close(d.over)
	}
}

// wait returns a channel that is closed when the moment comes.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

// passed reports whether the moment has come.
func (d *deadline) passed() bool { return isClosed(d.wait()) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// signal wakes one waiter of an edge channel.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
