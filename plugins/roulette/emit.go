package roulette

func (c *Core) emit(a Action) { c.out = append(c.out, a) }

// send stamps m, accounts for its bytes and emits it.
func (c *Core) send(v *neighbour, m Message) {
	v.link.stamp(c.now, m.Clock())
	c.size = Append(c.size[:0], m)
	n := len(c.size)
	n += c.unfilled(m)
	v.emitted += n
	c.cfg.Uplink.sent(c.now, &v.link, m.Clock().Sent, n)
	c.emit(Send{v.id, m})
}

// tokenGuess is how long a token the driver fills in is taken to be, in bytes.
const tokenGuess = MaxToken

// unfilled is how many bytes the driver will add to m.
func (c *Core) unfilled(m Message) int {
	switch m := m.(type) {
	case *Data:
		if m.Payload == nil {
			return m.Len + len(m.Peers)*tokenGuess
		}
	case *Welcome:
		return len(m.Peers) * tokenGuess
	case *Recommend:
		return len(m.Peers) * tokenGuess
	case *Join, *Hello:
		return GrantSize
	}
	return 0
}
