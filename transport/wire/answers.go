package wire

import "time"

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

// backOff is how long the answer to the try-th question is waited for, from 0: twice as long each time, and never less than
// answers usually take.
func backOff(try int, usual time.Duration) time.Duration { return max(firstRetry<<try, usual) }
