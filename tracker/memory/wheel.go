package memory

// link places a row in a wheel; the zero link is in none. Numbers are row+1.
type link struct {
	prev, next uint32
	slot       uint32
}

// wheel is a hashed timing wheel over the rows of a slab: adding, removing and
// expiring cost the same however many rows there are. Times are Unix seconds.
//
// A row that lives on after its time was put off need not be moved: when its
// slot comes up the visit says so and it is put where it belongs.
type wheel struct {
	width int64 // seconds a slot spans
	heads []uint32
	tick  int64 // the last tick that was visited
	link  func(row uint32) *link
}

func newWheel(width, horizon int64, at func(row uint32) *link) wheel {
	return wheel{width: width, heads: make([]uint32, horizon/width+2), link: at}
}

// add puts a row in the slot that is visited at or after when; a time beyond the
// horizon is visited at the horizon.
func (w *wheel) add(row uint32, when int64) {
	tick := max((when+w.width-1)/w.width, w.tick+1)
	tick = min(tick, w.tick+int64(len(w.heads))-1)
	slot := uint32(tick % int64(len(w.heads)))
	l := w.link(row)
	*l = link{next: w.heads[slot], slot: slot + 1}
	if l.next != 0 {
		w.link(l.next - 1).prev = row + 1
	}
	w.heads[slot] = row + 1
}

// remove takes a row out; a row in no slot is left alone.
func (w *wheel) remove(row uint32) {
	l := w.link(row)
	if l.slot == 0 {
		return
	}
	if l.next != 0 {
		w.link(l.next - 1).prev = l.prev
	}
	if l.prev != 0 {
		w.link(l.prev - 1).next = l.next
	} else {
		w.heads[l.slot-1] = l.next
	}
	*l = link{}
}

// advance visits the rows of every slot that has come up by now. A visited row
// is in no slot; visit adds it again or drops it, and touches no other row of the wheel.
func (w *wheel) advance(now int64, visit func(row uint32)) {
	target := now / w.width
	if w.tick == 0 || target < w.tick { // the first call; a clock that went back just waits
		w.tick = max(w.tick, target)
		return
	}
	from := max(w.tick+1, target-int64(len(w.heads))+1)
	w.tick = target
	for tick := from; tick <= target; tick++ {
		slot := tick % int64(len(w.heads))
		row := w.heads[slot]
		w.heads[slot] = 0
		for row != 0 {
			l := w.link(row - 1)
			next := l.next
			*l = link{}
			if next != 0 {
				w.link(next - 1).prev = 0
			}
			visit(row - 1)
			row = next
		}
	}
}
