package roulette

import "time"

// Profile chooses which protocol a core speaks.
type Profile uint8

// The two profiles.
const (
	// ProfileTuned is the protocol that stands near the limit, the default.
	ProfileTuned Profile = iota
	// ProfileClassic is the 2006 paper's, kept for comparison.
	ProfileClassic
)

// Params are the protocol's numbers, each with its unit and the row of the
// seeds (F..) or the point of the redesign (R1..R9: the nine points of
// docs/roulette.md) it comes from; the tags are its keys in [transport.roulette]. Classic and Tuned return the two sets; a
// field that a profile does not use says so.
type Params struct {
	Profile Profile `toml:"-"`

	// Overlay.
	MinDegree  int           `toml:"min_degree"`  // neighbours; below it one is sought every SeekEvery (F11, F12)
	MaxDegree  int           `toml:"max_degree"`  // neighbours; none is sought at or above it (F11, F14)
	SeekEvery  time.Duration `toml:"seek_every"`  // between two searches below MinDegree (F12); above it takes SeekEvery*degree/MinDegree (F13)
	MaxTable   int           `toml:"max_table"`   // all neighbours, those of others' choosing included (F21)
	DeadAfter  time.Duration `toml:"dead_after"`  // a neighbour not heard from is collected (F21)
	Resends    int           `toml:"resends"`     // unanswered requests before a neighbour is given up (F33)
	HelloRetry time.Duration `toml:"hello_retry"` // first time-out of JOIN and HELLO, when no RTT is known

	// Tit-for-tat (F35, F36), per key and per network group.
	Tab         int     `toml:"tab"`          // bytes that may be sent before anything came back, of chunks of one block; classic: a chunk at least, tuned: what a longer chunk has more besides
	TabFraction float64 `toml:"tab_fraction"` // of the bytes received, which may be sent if that is more
	TabLiteral  bool    `toml:"tab_literal"`  // the paper's sentence to the letter, sent <= max(Tab, TabFraction of received): it deadlocks

	// Classic only.
	FirstBurst int           `toml:"first_burst"` // blocks of the first second handshake (F41)
	MinTimeout time.Duration `toml:"min_timeout"` // of a handshake or burst (F42)
	MaxTimeout time.Duration `toml:"max_timeout"` // (F42)
	LookAgain  time.Duration `toml:"look_again"`  // until a neighbour that had nothing is asked again (F29)

	// Tuned only from here, but for MaxQueue, Endgame, Backlog and RescueAfter.
	WindowBlocks  int           `toml:"window_blocks"`  // blocks outstanding over all neighbours at least (R3)
	WindowChunks  int           `toml:"window_chunks"`  // chunks outstanding over all neighbours at least, where chunks are of several blocks (R3)
	WindowTime    time.Duration `toml:"window_time"`    // of the measured downlink, when that is more (R3)
	QueueMost     time.Duration `toml:"queue_most"`     // before the own downlink, above which the window gives way to other traffic; on slow links twice that for chunks of four blocks and more (R3)
	QueueLeast    int           `toml:"queue_least"`    // blocks outstanding that it keeps then
	PerNeighbour  int           `toml:"per_neighbour"`  // blocks outstanding at one neighbour at least (R3)
	MaxQueue      int           `toml:"max_queue"`      // blocks one neighbour may have asked of us
	SeedAfter     int           `toml:"seed_after"`     // readers whose holdings are known before a busy seed is asked
	PumpRoom      int           `toml:"pump_room"`      // blocks of room in the window before a REQUEST is worth its datagram; three quarters of as many as neighbours give anything, if that is less
	PiggyExtra    int           `toml:"piggy_extra"`    // blocks beyond the window that may be asked for on a DATA
	Endgame       int           `toml:"endgame"`        // last blocks that are asked for twice (R9)
	Ahead         int           `toml:"ahead"`          // chunks that are asked for before rarer ones: the first that are missing, for somebody may be reading (R5)
	PiggybackWait time.Duration `toml:"piggyback_wait"` // how long a request waits for a DATA going the same way (R3)
	StatusEvery   time.Duration `toml:"status_every"`   // between two STATUS when the uplink is idle (R6)
	StatusSame    time.Duration `toml:"status_same"`    // between two to the same neighbour, of up to 1,023 chunks; else longer
	Backlog       time.Duration `toml:"backlog"`        // what the pacer lets wait in the modem (R8); classic: what a seed lets wait before it is silent, 0: no end
	StartRate     int           `toml:"start_rate"`     // bytes/s of uplink assumed before it is measured; 0: unpaced (R8)
	KnownRate     int           `toml:"-"`              // bytes/s of uplink if the user says so; 0: measured
	RescueAfter   time.Duration `toml:"rescue_after"`   // without progress (R9); classic: the locator is asked then (F20)
	LateSlack     time.Duration `toml:"late_slack"`     // added to the expected answer before a request is overdue; twice that for chunks of several blocks
	LeaveGuard    int           `toml:"leave_guard"`    // chunks short of complete at which a neighbour is taken to be leaving
	Swap          bool          `toml:"swap"`           // newcomers give their first blocks unasked to who answered their HELLO
	HelloExtra    int           `toml:"hello_extra"`    // blind requests beyond the window
	BlindUntil    int           `toml:"blind_until"`    // chunks held from which HELLO no longer asks blindly: too much is under way that it cannot name
	NewFirst      int           `toml:"new_first"`      // chunks up to which a neighbour is served before the others (R7)
	NewBlocks     int           `toml:"new_blocks"`     // blocks (a chunk at least) for a neighbour that has not given any, unless the uplink is idle (R7)
	IdleGive      time.Duration `toml:"idle_give"`      // idle uplink before it is given to who does not pay (R7)

	// Seed.
	JoinList     int           `toml:"join_list"`     // introductions in a WELCOME (R1)
	JoinMin      int           `toml:"join_min"`      // introductions in the leanest WELCOME
	JoinShare    float64       `toml:"join_share"`    // part of the uplink that WELCOMEs may take while a crowd waits for them; a quarter of that while none does, and once every chunk was given away half of the rest besides
	JoinYoung    time.Duration `toml:"join_young"`    // introduced peers joined at least so long ago (R1)
	JoinOld      time.Duration `toml:"join_old"`      // and at most so long ago
	MemberTTL    time.Duration `toml:"member_ttl"`    // who said nothing for so long is introduced to nobody
	SeedChunks   int           `toml:"seed_chunks"`   // blocks for one reader when the swarm is large (R1)
	SeedTrial    int           `toml:"seed_trial"`    // chunks for a reader before it is held to what others thanked it for
	SeedCrowd    int           `toml:"seed_crowd"`    // members that make a swarm large
	MaxMembers   int           `toml:"max_members"`   // the seed's list of members
	NoSubstitute bool          `toml:"no_substitute"` // the seed sends what was asked, not the least served
}

// Tuned returns the default profile's numbers.
func Tuned() Params {
	return Params{
		Profile:   ProfileTuned,
		MinDegree: 10, MaxDegree: 16, SeekEvery: 100 * time.Millisecond,
		MaxTable: 40, DeadAfter: 3 * time.Second, Resends: 2, HelloRetry: 350 * time.Millisecond,
		Tab: 2400, TabFraction: 0.9,
		WindowBlocks: 14, WindowChunks: 6, WindowTime: 160 * time.Millisecond, QueueMost: 30 * time.Millisecond, QueueLeast: 6, PerNeighbour: 1, MaxQueue: 1024, Endgame: 8, Ahead: 1,
		PiggybackWait: 10 * time.Millisecond,
		StatusEvery:   10 * time.Millisecond, StatusSame: 200 * time.Millisecond,
		Backlog: 8 * time.Millisecond, RescueAfter: 500 * time.Millisecond,
		Swap: true, SeedAfter: 6, PumpRoom: 6, PiggyExtra: 0,
		LateSlack: 15 * time.Millisecond, LeaveGuard: 4, HelloExtra: 4, BlindUntil: 8, NewFirst: 4, NewBlocks: 1, IdleGive: 23 * time.Millisecond,
		JoinList: 8, JoinMin: 3, JoinShare: 0.3, JoinYoung: 50 * time.Millisecond, JoinOld: 600 * time.Millisecond,
		MemberTTL: 2500 * time.Millisecond, SeedChunks: 12, SeedTrial: 1, SeedCrowd: 8, MaxMembers: 1 << 14,
	}
}

// Classic returns the 2006 paper's numbers.
func Classic() Params {
	return Params{
		Profile:   ProfileClassic,
		MinDegree: 4, MaxDegree: 32, SeekEvery: 100 * time.Millisecond,
		MaxTable: 128, DeadAfter: 30 * time.Second, Resends: 4, HelloRetry: 500 * time.Millisecond,
		Tab: 4096, TabFraction: 0.9,
		FirstBurst: 16, MinTimeout: 100 * time.Millisecond, MaxTimeout: 4 * time.Second,
		LookAgain: 500 * time.Millisecond, Endgame: 4, RescueAfter: 2 * time.Second, Backlog: 300 * time.Millisecond,
		MaxQueue: MaxBurst,
		JoinList: 4, JoinMin: 1, JoinShare: 1, JoinOld: time.Hour, MemberTTL: time.Hour, MaxMembers: 1 << 14,
	}
}
