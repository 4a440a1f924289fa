package wire

import (
	"testing"

	"nt/transport"
)

// said is what a node heard of a peer.
type said struct {
	from  transport.PeerID
	topic [32]byte
	is    bool
}

// listener is a session of a's with a node that hears what a is after.
func listener(t *testing.T) (a *Node, toB *Session, heard chan said) {
	t.Helper()
	heard = make(chan said, 16)
	b := loopback(t, Config{
		Accept: func(*Session) bool { return true },
		After:  func(s *Session, topic [32]byte, is bool) { heard <- said{s.Peer(), topic, is} },
	})
	a = loopback(t, Config{})
	toB, err := a.Dial(soon(t), addrOf(b), b.ID(), Token{}, ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a, toB, heard
}

// hears waits for what is heard next.
func hears(t *testing.T, heard chan said, want said) {
	t.Helper()
	select {
	case got := <-heard:
		if got != want {
			t.Errorf("heard %+v, want %+v", got, want)
		}
	case <-soon(t).Done():
		t.Fatal("nothing is heard")
	}
}

func TestWhatAPeerIsAfterIsHeard(t *testing.T) {
	a, toB, heard := listener(t)
	one, two := [32]byte{1, 31: 1}, [32]byte{2, 31: 2}
	for _, w := range []said{{a.ID(), one, true}, {a.ID(), two, true}, {a.ID(), one, false}} {
		if err := toB.After(w.topic, w.is); err != nil {
			t.Fatal(err)
		}
		hears(t, heard, w)
	}
}

// TestAfterOfAnotherLengthIsNone: what a later version may mean by it is not taken for what this one means.
func TestAfterOfAnotherLengthIsNone(t *testing.T) {
	a, toB, heard := listener(t)
	for _, word := range []byte{controlAfter, controlEnough} {
		for _, length := range []int{0, 31, 33, 64} {
			if err := toB.Send(channelControl, append([]byte{word}, make([]byte, length)...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	topic := [32]byte{1}
	if err := toB.After(topic, true); err != nil {
		t.Fatal(err)
	}
	hears(t, heard, said{a.ID(), topic, true})
}

// TestWhoIntroducesNobodyIgnoresAfter: the session goes on at a node that does not listen, any but a tracker's.
func TestWhoIntroducesNobodyIgnoresAfter(t *testing.T) {
	b := loopback(t, Config{Accept: func(s *Session) bool {
		s.Handle(ChannelDatagram, func(p []byte) { s.Send(ChannelDatagram, p) })
		return true
	}})
	back := make(chan string, 1)
	a := loopback(t, Config{})
	s, err := a.Dial(soon(t), addrOf(b), b.ID(), Token{}, ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Handle(ChannelDatagram, func(p []byte) { back <- string(p) })
	for _, is := range []bool{true, false} {
		if err := s.After([32]byte{1}, is); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send(ChannelDatagram, []byte("still there?")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-back:
	case <-soon(t).Done():
		t.Error("the session does not go on")
	}
}
