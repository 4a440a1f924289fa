package sim

import (
	"fmt"
	"strings"
	"time"

	"nt/plugins/roulette"
)

// AgeStep is the step of an Ages.
const AgeStep = 50 * time.Millisecond

// Sort is what received bytes are for.
type Sort uint8

// The sorts of bytes. A message's own bytes are its kind's; what carries messages is SortWire.
const (
	SortPayload   Sort = iota // content that was missing
	SortDuplicate             // content that was there already
	SortData                  // the rest of DATA: what it tells besides
	SortProof
	SortRequest // REQUEST, CANCEL and the classic handshakes
	SortStatus
	SortJoin // JOIN, WELCOME, HELLO, RECOMMEND, RESCUE
	SortOther
	SortOpen // datagrams that open sessions
	SortWire // headers down to IP, and what a reliable wire adds
	sorts
)

var sortNames = [sorts]string{"payload", "dupl", "DATA", "proof", "request", "STATUS", "join", "other", "open", "wire"}

// SortOf tells what a message is for; of DATA, what is not content.
func SortOf(m roulette.Message) Sort {
	switch m.(type) {
	case *roulette.Data:
		return SortData
	case *roulette.Proof:
		return SortProof
	case *roulette.Request, *roulette.Cancel, *roulette.FirstHandshake, *roulette.SecondHandshake:
		return SortRequest
	case *roulette.Status:
		return SortStatus
	case *roulette.Join, *roulette.Welcome, *roulette.Hello, *roulette.Recommend, *roulette.Rescue:
		return SortJoin
	}
	return SortOther
}

// Ages adds up what readers did by their age: the trace that shows where the time goes. It
// is not safe for concurrent use.
type Ages struct {
	// Up and Down are the readers' links, in bytes per second.
	Up, Down float64
	rows     []ageRow
	got      [sorts]float64
	readers  int
}

type ageRow struct {
	alive    float64 // seconds that readers spent at this age
	up, down float64 // bytes
	by       [sorts]float64
	state    [5]float64 // Glance, times seconds
}

// Aged is one reader whose life is added up.
type Aged struct {
	Born  time.Duration
	at    time.Duration
	now   roulette.Glance
	begun bool
}

// maxAge is where an Ages ends, in steps.
const maxAge = 400

func (a *Ages) row(age time.Duration) *ageRow {
	k := min(max(int(age/AgeStep), 0), maxAge-1)
	for len(a.rows) <= k {
		a.rows = append(a.rows, ageRow{})
	}
	return &a.rows[k]
}

// Sent notes n bytes put into r's uplink.
func (a *Ages) Sent(r *Aged, now time.Duration, n int) { a.row(now - r.Born).up += float64(n) }

// Receive notes n bytes of a sort that came out of r's downlink.
func (a *Ages) Receive(r *Aged, now time.Duration, s Sort, n int) {
	row := a.row(now - r.Born)
	row.by[s] += float64(n)
	row.down += float64(n)
	a.got[s] += float64(n)
}

// Received returns the bytes that readers received in all, and those of new content.
func (a *Ages) Received() (all, payload float64) {
	for _, n := range a.got {
		all += n
	}
	return all, a.got[SortPayload]
}

// State notes that r is in state g from now on.
func (a *Ages) State(r *Aged, now time.Duration, g roulette.Glance) {
	if !r.begun {
		r.begun, r.at = true, r.Born
		a.readers++
	}
	for r.at < now {
		end := min(now, r.Born+((r.at-r.Born)/AgeStep+1)*AgeStep)
		row, t := a.row(r.at-r.Born), (end - r.at).Seconds()
		row.alive += t
		for i, v := range [...]int{r.now.Chunks, r.now.Open, r.now.Late, r.now.Queued, r.now.Neighbours} {
			row.state[i] += float64(v) * t
		}
		r.at = end
	}
	r.now = g
}

// String is the trace as a table. up and down are percent of the links; bytes by sort are percent of the
// downlink, so that a row's add up to down; the other columns are means over the readers of that age.
func (a *Ages) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9s %7s %4s %5s %6s %5s %5s %6s %6s |", "age ms", "readers", "up%", "down%", "chunks", "open", "late", "queued", "neighb")
	for _, name := range sortNames {
		fmt.Fprintf(&b, " %7s", name)
	}
	b.WriteByte('\n')
	for k, row := range a.rows {
		if row.alive < AgeStep.Seconds()/2 {
			continue
		}
		at := int64(k) * AgeStep.Milliseconds()
		fmt.Fprintf(&b, "%4d-%4d %7.1f %4.0f %5.0f %6.1f %5.1f %5.1f %6.1f %6.1f |", at, at+AgeStep.Milliseconds(), row.alive/AgeStep.Seconds(),
			100*row.up/a.Up/row.alive, 100*row.down/a.Down/row.alive, row.state[0]/row.alive, row.state[1]/row.alive, row.state[2]/row.alive, row.state[3]/row.alive, row.state[4]/row.alive)
		for _, n := range row.by {
			fmt.Fprintf(&b, " %7.1f", 100*n/a.Down/row.alive)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d readers received per byte of new content:", a.readers)
	all, payload := a.Received()
	for s, n := range a.got {
		fmt.Fprintf(&b, " %s %.3f", sortNames[s], n/max(1, payload))
	}
	fmt.Fprintf(&b, "; %.3f in all\n", all/max(1, payload))
	return b.String()
}
