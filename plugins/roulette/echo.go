package roulette

import "time"

// Who is given much says soon that it came. Echoes ride on what is to be said, and a reader that has asked for all that its window takes has nothing
// to say until an answer comes, while who should answer sends no more until it hears what became of the first ones: a seed's first reader
// waited half a second for the rest of its first chunks (docs/adr/0043).
const (
	// echoOwed is how many bytes of content are owed an echo of their own: half of what may be on its way unheard.
	echoOwed = firstWindow / 2
	// echoWait is how long something else to say is waited for.
	echoWait = 25 * time.Millisecond
	// mostEchoes is how often a neighbour is told so. It knows its uplink by then, as far as it can.
	mostEchoes = 16
)

// owed is what a neighbour gave since it was last told anything.
type owed struct {
	bytes int
	at    time.Duration // when it is told at the latest, 0: it need not be
	told  int
}

// gave notes n bytes of content that came now.
func (o *owed) gave(now time.Duration, n int) {
	if o.bytes += n; o.bytes >= echoOwed && o.at == 0 && o.told < mostEchoes {
		o.at = now + echoWait
	}
}

// said notes that something was said, and with it what had come.
func (o *owed) said() { o.bytes, o.at = 0, 0 }

// echo says to whom it is owed that what it gave came. STATUS would say that we have nothing that it asked for.
func (c *Core) echo() {
	for _, v := range c.neighbours {
		if v.echoes.at > 0 && c.now >= v.echoes.at {
			v.echoes.told++
			c.send(v, &Request{})
		}
	}
}
