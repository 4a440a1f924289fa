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

// unsaid is the content that came since its sender was last told anything.
type unsaid struct {
	bytes  int
	at     time.Duration // when it is told at the latest, 0: it need not be
	echoes int           // told with nothing else to say
}

// came notes n bytes of content that came now.
func (u *unsaid) came(now time.Duration, n int) {
	if u.bytes += n; u.bytes >= echoOwed && u.at == 0 && u.echoes < mostEchoes {
		u.at = now + echoWait
	}
}

// said notes that something was said, and with it what had come.
func (u *unsaid) said() { u.bytes, u.at = 0, 0 }

// echo says to whom it is owed that what it gave came. STATUS would say that we have nothing that it asked for.
func (c *Core) echo() {
	for _, v := range c.neighbours {
		if u := &v.link.unsaid; u.at > 0 && c.now >= u.at {
			u.echoes++
			c.send(v, &Request{})
		}
	}
}
