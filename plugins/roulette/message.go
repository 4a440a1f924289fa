package roulette

import (
	"time"

	"nt/chunker"
	"nt/transport"
)

// Specification constants of the wire: changing one breaks other nodes.
const (
	// BlockSize is the unit of content, in bytes: what one DATA carries where a message
	// must fit a datagram. Every chunk is a whole number of blocks, except an
	// object's last one; objects up to 4 MiB have chunks of exactly one block.
	BlockSize = chunker.MinChunkSize
	// MaxMessage is the longest message, in bytes: what a session must carry
	// in one datagram. A full DATA with two IPv6 introductions is the longest.
	MaxMessage = 1300
	// MaxData is the longest DATA, on a wire that takes it: a run of blocks of one chunk.
	MaxData = MaxMessage - BlockSize + chunker.MaxChunkSize + MaxSummary
	// MaxSummary bounds a have summary, in bytes; MaxSummaryData the one on DATA, but for the first to a neighbour: see firstShare.
	MaxSummary     = 1 + 1024 // the bitmap of nois.MaxBitmapChunks
	MaxSummaryData = 34
	// MaxAsks bounds the requests of one message, MaxAsksData those on DATA.
	MaxAsks     = 16
	MaxAsksData = 8
	// MaxIntros bounds the introductions of one message, MaxIntrosData those on DATA.
	MaxIntros     = 16
	MaxIntrosData = 2
	// MaxToken bounds an introduction's token, in bytes.
	MaxToken = 16
	// GrantSize is the length of a grant, in bytes: with one the receiver makes tokens of
	// the sender's for those it introduces.
	GrantSize = 20
	// MaxIntervals and MaxBurst bound the lists of the classic handshakes (F28, F41).
	MaxIntervals = 8
	MaxBurst     = 255
	// ClockUnit is the unit of Timing.
	ClockUnit = 250 * time.Microsecond
)

// Kind is the first byte of every message.
type Kind uint8

// The kinds of message.
const (
	KindJoin Kind = iota + 1
	KindWelcome
	KindHello
	KindRequest
	KindData
	KindProof
	KindStatus
	KindCancel
	KindRescue
	KindNoFile
	KindBye
	KindRecommend
	KindFirstHandshake
	KindSecondHandshake
	kindEnd
)

// String returns the kind's name as the documents write it.
func (k Kind) String() string {
	names := [...]string{"?", "JOIN", "WELCOME", "HELLO", "REQUEST", "DATA", "PROOF", "STATUS", "CANCEL",
		"RESCUE", "NO_FILE", "BYE", "RECOMMEND", "FIRST_HANDSHAKE", "SECOND_HANDSHAKE"}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// Timing rides on every message and lets both ends measure round trips and
// one-way delays without a message of its own. Units: ClockUnit, modulo 2^16;
// the two clocks need not agree.
type Timing struct {
	Sent uint16 // sender's clock when this message left
	// Echo is Sent of the newest message received from the other side and Lag how much
	// later, by the echoing side's clock, it arrived; both 0 if none came since the last that was echoed.
	Echo, Lag uint16
}

func (t Timing) echoes() bool { return t.Echo != 0 || t.Lag != 0 }

// Introduction names a peer and carries what is needed to reach it.
type Introduction struct {
	Peer transport.Peer // only ID and Addr travel
	// Token opens the peer's gate; opaque here, filled in by the driver when the
	// message leaves, at most MaxToken bytes.
	Token []byte
}

// Ask is one request: blocks First..First+Count-1 of Chunk.
type Ask struct {
	Chunk        uint32
	First, Count uint8 // in blocks; a whole chunk is First 0, Count 0
	Any          bool  // another chunk that the asker lacks will do (the seed substitutes)
	Proof        bool  // the asker lacks the proof of the chunk's MetaChunk
	ProofOnly    bool  // it wants that proof and no data; First, Count, Any and Proof are unset
}

// Message is one of the typed messages below.
type Message interface {
	Kind() Kind
	// Clock is the message's Timing, filled in by the core when it leaves.
	Clock() *Timing
}

type clock struct{ Timing Timing }

// Clock implements Message.
func (c *clock) Clock() *Timing { return &c.Timing }

// Join asks a seed (or a tracker) for WELCOME: the first message of a reader.
type Join struct {
	clock
	Object     chunker.ObjectID
	NeedHeader bool   // the sender does not know the object's header
	Met        uint8  // readers that somebody else named to the sender: it needs fewer
	Grant      []byte // filled in by the driver; nil or GrantSize bytes
}

// Welcome answers Join and Rescue. Header is left out when the seed must be lean.
type Welcome struct {
	clock
	Header *chunker.Header
	Peers  []Introduction
	// Busy says that the seed has little to give: ask peers first.
	// Silent says that most readers here leave without BYE.
	// Few says that it has few readers: it wants to be told soon who gave what, and bears to be asked for more.
	Silent bool
	Busy   bool
	Few    bool
}

// Hello opens a neighbourhood: a first handshake that already asks. Class j of
// Classes k is the blind request "any chunk of the j-th of k parts that I lack";
// Classes 0 asks for nothing.
type Hello struct {
	clock
	Object         chunker.ObjectID
	Class, Classes uint8
	NeedHeader     bool
	Proof          bool // the answer's proof is wanted too
	WantPeers      bool
	Have           []byte // have summary
	Grant          []byte // as in Join
}

// Request asks for chunks; a second handshake that does not wait.
type Request struct {
	clock
	Asks      []Ask
	WantPeers bool
	Have      []byte
	// Pending tells a seed, in a have summary's form, what is on its way to the sender: it is not there yet, and not to be sent
	// instead of what it asks for. Empty says nothing of it.
	Pending []byte
	// Thanks tells a seed who gave the sender how much that was proved; at most MaxThanks.
	Thanks []Thank
	// Silent says to a seed that of the sender's neighbours more left without a word than with BYE.
	Silent bool
}

// Data carries a run of blocks of one chunk, mostly one block, and everything a neighbour should know besides.
type Data struct {
	clock
	Chunk uint32
	Block uint8 // the first
	// For is the chunk that was asked for when Chunk stands in for it, else equal to Chunk.
	For uint32
	// Blind marks an answer to a blind request.
	Blind bool
	// Swap, if not 0, asks in return for a chunk of MetaChunk Swap-1 as soon as there is one.
	Swap      uint32
	Queue     uint8 // sender's upload queue in 4 ms units, capped
	WantPeers bool
	Have      []byte // at most MaxSummaryData, or a part of Len: see firstShare
	Asks      []Ask
	Peers     []Introduction
	// Payload is left nil by the core: the driver reads Len bytes of the chunk from
	// the store when the message leaves.
	Payload []byte
	Len     int // bytes of payload; not on the wire
}

// Proof carries the hashes of one MetaChunk, and the header for who lacks it.
type Proof struct {
	clock
	Meta   uint32
	Header *chunker.Header
	Hashes []byte // chunker.MetaProof, wire form
}

// Status tells what the sender has when nothing else goes that way.
type Status struct {
	clock
	Queue     uint8
	WantPeers bool
	Have      []byte
}

// Cancel takes requests back.
type Cancel struct {
	clock
	Chunks []uint32
}

// Rescue asks the seed for a fresh WELCOME when nothing moves.
type Rescue struct {
	clock
	Object chunker.ObjectID
	Have   []byte
}

// NoFile says that the sender does not hold the object (F38).
type NoFile struct {
	clock
	Object chunker.ObjectID
}

// Bye says that the sender leaves.
type Bye struct{ clock }

// Recommend asks for a neighbour (Want) or names some (F15).
type Recommend struct {
	clock
	Want  bool
	Peers []Introduction
}

// Span is the chunks Start..End-1.
type Span struct{ Start, End uint32 }

// FirstHandshake is the paper's: the request tells the top intervals the sender
// has, the reply those it has and the other lacks (F30, F39).
type FirstHandshake struct {
	clock
	Object    chunker.ObjectID
	Reply     bool
	Intervals []Span // at most MaxIntervals
}

// SecondHandshake is the paper's: random chunk numbers, as many as the burst (F31).
type SecondHandshake struct {
	clock
	Chunks []uint32 // at most MaxBurst
}

// Kind implements Message.
func (*Join) Kind() Kind            { return KindJoin }
func (*Welcome) Kind() Kind         { return KindWelcome }
func (*Hello) Kind() Kind           { return KindHello }
func (*Request) Kind() Kind         { return KindRequest }
func (*Data) Kind() Kind            { return KindData }
func (*Proof) Kind() Kind           { return KindProof }
func (*Status) Kind() Kind          { return KindStatus }
func (*Cancel) Kind() Kind          { return KindCancel }
func (*Rescue) Kind() Kind          { return KindRescue }
func (*NoFile) Kind() Kind          { return KindNoFile }
func (*Bye) Kind() Kind             { return KindBye }
func (*Recommend) Kind() Kind       { return KindRecommend }
func (*FirstHandshake) Kind() Kind  { return KindFirstHandshake }
func (*SecondHandshake) Kind() Kind { return KindSecondHandshake }
