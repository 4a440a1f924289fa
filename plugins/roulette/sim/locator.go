package sim

import (
	"time"

	"nt/internal/crowd"
	"nt/plugins/roulette"
	"nt/transport"
)

// The locator of an experiment names the seed, and as a tracker does who is fetching at the moment (docs/adr/0038), and knows
// the object's header. It costs nothing and answers at once; of readers it hears as late as a tracker would.

func (w *World) namesReaders() bool {
	return !w.cfg.SeedAlone && w.cfg.Params.Profile == roulette.ProfileTuned
}

// ask brings a host the locator's answer.
func (w *World) ask(i int32) {
	var readers []roulette.Introduction
	if w.namesReaders() {
		for _, j := range w.crowd.Pick(w.wall(), crowd.Topic(w.id), crowd.Names, w.rng, func(j int32) bool { return j != i }) {
			readers = append(readers, roulette.Introduction{Peer: peerOf(j)})
		}
	}
	w.hosts[i].core.Join(w.now, []roulette.Introduction{{Peer: peerOf(0)}}, readers)
}

// sayLater lets a reader tell the locator that it is fetching: its session with it takes a round trip to open, and the word another way.
func (w *World) sayLater(i int32) {
	if w.namesReaders() {
		w.events.push(event{at: w.now + 3*(w.hosts[i].delay+w.cfg.Delay/2), kind: evSay, to: i})
	}
}

// say notes a reader's word, and has it say so again.
func (w *World) say(i int32) {
	if h := w.hosts[i]; h.gone || h.doneAt > 0 {
		return
	}
	w.crowd.Join(w.wall(), crowd.Topic(w.id), i, transport.NetworkGroup(addrOf(i).Addr()))
	w.events.push(event{at: w.now + crowd.SayEvery, kind: evSay, to: i})
}

// unsay takes it back, when a reader is done or leaves and says so.
func (w *World) unsay(i int32) {
	if !w.hosts[i].silent {
		w.crowd.Leave(w.wall(), crowd.Topic(w.id), i)
	}
}

// wall is the virtual time as a moment.
func (w *World) wall() time.Time { return time.Unix(0, 0).Add(w.now) }
