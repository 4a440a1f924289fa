package gate

import "testing"

// TestN15_Gate: slots are counted per IPv4 address and per IPv6 /64.
func TestN15_Gate(t *testing.T) {
	g := New(4, 2)
	enter := func(addr string, want bool) func() {
		t.Helper()
		leave, ok := g.Enter(addr)
		if ok != want {
			t.Errorf("%s: let in is %v, want %v", addr, ok, want)
		}
		return leave
	}
	enter("192.0.2.1:1", true)
	leave := enter("[::ffff:192.0.2.1]:2", true)
	enter("192.0.2.1:3", false)
	enter("[2001:db8::1]:1", true)
	enter("[2001:db8::ffff:2]:1", true)
	enter("[2001:db8::3]:1", false)
	enter("192.0.2.2:1", false) // all four are taken
	leave()
	leave() // again: nothing
	enter("not an address", true)
	if len(g.groups) != 3 {
		t.Errorf("%d groups are kept, want 3", len(g.groups))
	}
}
