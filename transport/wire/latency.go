package wire

import "time"

// Latency is how long answers take, as TCP estimates it (RFC 6298). The zero value knows nothing.
type Latency struct{ Mean, dev time.Duration }

// Add takes the time of one answer.
func (l *Latency) Add(d time.Duration) {
	if l.Mean == 0 {
		l.Mean, l.dev = d, d/2
		return
	}
	l.dev += (max(d-l.Mean, l.Mean-d) - l.dev) / 4
	l.Mean += (d - l.Mean) / 8
}

// Usual is the time within which nearly all answers come, 0 while none came.
func (l *Latency) Usual() time.Duration { return l.Mean + 4*l.dev }

// longestUsual is the most that a slow link makes a handshake wait before something else is tried.
const longestUsual = 1500 * time.Millisecond

// answerTime is the time within which nearly all handshakes of this node's are answered, as far as it knows: where a small datagram
// waits behind content on a slow uplink, that is longer than all first guesses, and to repeat what is on its way makes it
// longer.
func (n *Node) answerTime() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return min(n.answers.Usual(), longestUsual)
}
