package roulette

import (
	"errors"
	"time"

	"nt/transport"
)

// State is where one neighbour stands on the receive side (F29-F34); the
// package comment has the diagram.
type State uint8

const (
	// StateInit: the neighbour is known, by introduction or because it came to
	// us. Left for FIRST HANDSHAKE as soon as we want something (F29), or the
	// neighbour is dropped.
	StateInit State = iota
	// StateFirstHandshake: we told what we have and wait for what it offers (F30).
	// Tuned: HELLO is out, no answer yet. Entered from INIT, and in classic from WAIT
	// FOR DATA when the offer is exhausted (F32). Left for SECOND HANDSHAKE on
	// an offer, for INIT on NO_FILE or an empty offer; after Resends silences
	// the neighbour is dead (F33).
	StateFirstHandshake
	// StateSecondHandshake: we know what it offers and nothing is outstanding.
	// Entered when the offer comes, and from WAIT FOR DATA when all came or the
	// time is up. Classic passes through it in no time; tuned rests in it while
	// the window is full or nothing is wanted from this neighbour.
	StateSecondHandshake
	// StateWaitForData: chunks are outstanding (F31, F32).
	StateWaitForData
)

// String returns the state's name as the paper writes it.
func (s State) String() string {
	return [...]string{"INIT", "FIRST HANDSHAKE", "SECOND HANDSHAKE", "WAIT FOR DATA"}[s]
}

// Why a neighbour was dropped.
var (
	ErrSilent    = errors.New("roulette: the neighbour does not answer")
	ErrBye       = errors.New("roulette: the neighbour left")
	ErrNoFile    = errors.New("roulette: the neighbour does not hold the object")
	ErrUseless   = errors.New("roulette: the neighbour takes and does not give")
	ErrNoRoom    = errors.New("roulette: too many neighbours")
	ErrPoison    = errors.New("roulette: the neighbour delivered wrong bytes")
	ErrDishonest = errors.New("roulette: the neighbour broke the protocol")
	ErrLeaving   = errors.New("roulette: we left")
	ErrTwice     = errors.New("roulette: the neighbour is reached at another address")
)

// asked is one request of ours that is outstanding at a neighbour.
type asked struct {
	chunk int32         // blind: -1 until the first block of one has come
	first uint8         // first block
	left  uint8         // blocks still to come; blind: answers still to come
	at    time.Duration // when it was sent, or the latest part came
	made  time.Duration // when it was sent, once a part has come
	blind bool          // for whatever chunk the neighbour chooses
	sent  bool          // it left; before, it waits for a DATA to ride on
	late  bool          // overdue: it no longer takes room in the window
}

// sentAt is when the request was sent, whatever has come since.
func (a *asked) sentAt() time.Duration {
	if a.made > 0 {
		return a.made
	}
	return a.at
}

// want is one request of a neighbour that waits to be served.
type want struct {
	Ask
	blind          bool
	class, classes uint8
	next           uint8 // next block to send, counted from First
	started        bool  // a block was sent
	swapped        bool  // another chunk stands in for instead
	instead        uint32
	till           time.Duration // not worth serving later; 0: always
	counts         bool          // in demand
	push           bool          // for a newcomer who did not ask yet
	at             time.Duration
}

// asked returns the chunk that was asked for, whatever stands in for it.
func (q *want) asked() uint32 {
	if q.swapped {
		return q.instead
	}
	return q.Chunk
}

// neighbour is everything known about one neighbour.
type neighbour struct {
	id    NeighbourID
	peer  transport.Peer
	state State
	tab   tab
	seed  bool // we JOINed at it, or it is our locator's seed

	since     time.Duration // when it became a neighbour
	heard     time.Duration // last message; 0 if none yet
	tries     int           // unanswered requests in a row
	deadline  time.Duration // of the handshake or burst that is out; 0 if none
	delivered int           // blocks it gave us
	missedAt  int           // delivered when packets of it that were lost last counted
	dialled   bool          // we opened the session, or try to
	dialling  bool          // the driver has not reported Opened: no silence counts
	extra     int           // blocks that may be outstanding at it beyond the usual: see quick
	quick     bool          // its latest answer came without a queue
	lossy     bool          // requests to it got lost while extra were under way
	grown     int           // blocks that came since extra last grew
	cutAt     time.Duration // when extra was last halved
	useless   bool          // it let a request pass and never gave us anything (R7)
	proved    int           // chunks of it that were proved
	praised   int           // at a seed: chunks that others had of it, as they say
	praises   int           // at a seed: chunks that it says it had of others
	turn      int           // at a seed: where its turn has come to, in blocks
	doubted   bool          // at a seed: it is no newcomer, and nobody thanked it
	ofFew     bool          // a seed that said in WELCOME that it has few readers
	thanked   []thanked     // at a seed of ours: whom we thanked there, and for how much
	sawSilent bool          // at a seed: it said that most of its neighbours leave in silence
	joined    bool          // it sent us HELLO, JOIN or a handshake
	greeted   bool          // we sent it HELLO

	// What it holds, as far as it told.
	have   bitset
	count  int
	nearAt time.Duration // when it was first seen to lack but few chunks
	silent bool          // not heard since it let a request pass (departures)
	told   []byte        // newest summary that came before the header was known

	// Our requests, and requests chosen but not sent yet.
	asked      []asked
	old        []asked // given up: the chunk was released, but the answer is still welcome
	asks       []Ask
	asksAt     time.Duration
	lat        transport.Latency
	queue      time.Duration // its announced queue
	queueAt    time.Duration
	wanted     bool          // it asked for introductions
	swap       uint32        // MetaChunk plus 1 it is to get a block of, as soon as we have one
	lent       uint32        // MetaChunk plus 1 kept for its swap, until lentTill
	swapAt     time.Duration // when it asked
	lentTill   time.Duration
	needHeader bool // it asked for the header
	barren     bool // nothing free among what it has; until one of the two changes
	busy       bool // a seed that said so in WELCOME
	askPeers   time.Duration
	restTill   time.Duration // not asked before

	// Its requests.
	queued   []want
	sentTo   bitset // chunks we sent it
	lately   lately // at a seed: those of a moment ago
	pending  bitset // at a seed: chunks on their way to it, as it says
	emitted  int    // bytes of messages that the driver has not fetched yet
	proofs   bitset // MetaChunks whose proof we sent it
	shown    bitset // MetaChunks whose proof it has, for it told of a chunk of them, or gave us one
	promised bitset // MetaChunks whose proof it asked for with a chunk for which another went
	statusAt time.Duration
	toldSize int // how many chunks it was told of when we last told it
	telling  telling
	served   int

	link link
	cl   classicState
}

// open returns how many blocks are outstanding at v and not overdue, and how
// many are overdue.
func (v *neighbour) open() (open, late int) {
	for i := range v.asked {
		switch a := &v.asked[i]; {
		case a.late, v.dialling: // nobody has heard it yet: it takes no room
			late += int(a.left)
		default:
			open += int(a.left)
		}
	}
	return open, late
}
