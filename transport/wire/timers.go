package wire

import (
	"time"
)

const (
	// sweepEvery is how often sessions are looked at for silence.
	sweepEvery = time.Second
	// moreConfirms is how often a dialler says again that it has its key. Nothing
	// answers a CONFIRM, and without one the peer neither speaks freely nor introduces us. Once, because those who
	// wait in a crowd for the first answer of the same peer all do.
	moreConfirms = 1
	// confirmPatience is how long a dialler waits for something else to send, which
	// confirms as well.
	confirmPatience = 150 * time.Millisecond
	// grantEvery is how often an introducer gets a grant: it holds for two minutes at least, and
	// the packet with it may be lost.
	grantEvery = time.Minute
)

// confirmSoon tells the accepter that we have our key. Anything we send tells it that, and who
// asked something with the handshake will soon.
func (s *Session) confirmSoon(asked bool) {
	if !asked {
		s.confirm()
		return
	}
	time.AfterFunc(confirmPatience, func() {
		if s.packets() == 0 {
			s.confirm()
		}
	})
}

// packets returns how many packets were sent.
func (s *Session) packets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.sent)
}

func (n *Node) wakeUp() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// timeLoop sends what handshakes have to repeat and ends idle sessions.
func (n *Node) timeLoop() {
	defer n.wg.Done()
	for {
		timer := time.NewTimer(n.runTimers(n.now()))
		select {
		case <-n.done:
			timer.Stop()
			return
		case <-n.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// runTimers does what is due and returns how long nothing will be.
func (n *Node) runTimers(now time.Time) time.Duration {
	n.mu.Lock()
	pending := make([]*Session, 0, len(n.dials))
	for _, s := range n.dials {
		pending = append(pending, s)
	}
	n.mu.Unlock()
	wait := sweepEvery
	for _, s := range pending {
		wait = min(wait, s.runDial(now))
	}
	if !now.Before(n.sweepAt) {
		n.sweepAt = now.Add(sweepEvery)
		n.sweep(now)
	}
	return max(min(wait, n.sweepAt.Sub(now)), time.Millisecond)
}

// runDial repeats the handshake's datagram, or gives up.
func (s *Session) runDial(now time.Time) time.Duration {
	usual := s.node.answerTime()
	s.mu.Lock()
	d := s.dial
	switch {
	case d == nil:
		s.mu.Unlock()
		return sweepEvery
	case d.again:
		d.again = false
	case now.Before(d.nextTry):
		defer s.mu.Unlock()
		return d.nextTry.Sub(now)
	case d.tries == maxTries:
		s.mu.Unlock()
		s.end(ErrNoAnswer)
		return sweepEvery
	default:
		d.nextTry = now.Add(backOff(d.tries, usual))
		d.tries++
	}
	if s.state == stateInitiating {
		if s.initSent = now; d.initAt.IsZero() {
			d.initAt = now
		}
	}
	b, wait := d.datagram, d.nextTry.Sub(now)
	s.mu.Unlock()
	s.node.write(b, s.key.addr)
	return wait
}

// sweep ends the sessions that fell silent and keeps those open that want it.
func (n *Node) sweep(now time.Time) {
	var silent, keep, confirm, grant []*Session
	n.mu.Lock()
	for _, s := range n.sessions {
		if s.granting.Load() && now.Sub(s.gaveAt) >= grantEvery {
			s.gaveAt = now
			grant = append(grant, s)
		}
		alive := time.Duration(s.keepAlive.Load())
		switch {
		case now.UnixNano()-s.lastHeard.Load() >= int64(n.conf.Idle):
			silent = append(silent, s)
		case alive > 0 && now.UnixNano()-s.lastSent.Load() >= int64(alive):
			keep = append(keep, s)
		case !s.accepted && s.confirms < moreConfirms && s.packets() <= 1+s.confirms: // it may all be lost
			confirm = append(confirm, s)
		}
	}
	n.mu.Unlock()
	for _, s := range silent {
		s.endIdle()
	}
	for _, s := range confirm {
		if s.confirm() == nil {
			s.confirms++
		}
	}
	for _, s := range grant {
		s.giveGrant() // fails where the session ends
	}
	for _, s := range keep {
		s.Send(channelControl, append([]byte{controlPing}, make([]byte, nonceSize)...))
	}
}

// endIdle ends a silent session; a dial has its own clock.
func (s *Session) endIdle() {
	s.mu.Lock()
	dialling := s.dial != nil
	s.mu.Unlock()
	if !dialling {
		s.end(ErrIdle)
	}
}
