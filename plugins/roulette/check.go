package roulette

import (
	"fmt"
	"time"
)

// Check reports the first number that no core should be run with: it would spin, never
// ask anybody, or exceed what a message or a table holds. Names are the keys of
// [transport.roulette].
func (p *Params) Check() error {
	for _, x := range []struct {
		key           string
		is, low, high int
	}{
		{"min_degree", p.MinDegree, 1, p.MaxDegree}, {"max_degree", p.MaxDegree, 1, p.MaxTable}, {"max_table", p.MaxTable, 1, seedTable},
		{"resends", p.Resends, 0, 100}, {"tab", p.Tab, 1, 1 << 30},
		{"window_blocks", p.WindowBlocks, 0, 1 << 16}, {"window_chunks", p.WindowChunks, 0, 1 << 12}, {"queue_least", p.QueueLeast, 0, 1 << 16}, {"per_neighbour", p.PerNeighbour, 0, 1 << 10}, {"max_queue", p.MaxQueue, 1, 1 << 12},
		{"seed_after", p.SeedAfter, 0, seedTable}, {"pump_room", p.PumpRoom, 0, 1 << 16}, {"piggy_extra", p.PiggyExtra, 0, 1 << 10},
		{"endgame", p.Endgame, 0, 1 << 16}, {"ahead", p.Ahead, 0, 64}, {"start_rate", p.StartRate, 0, 1 << 30}, {"leave_guard", p.LeaveGuard, 0, 1 << 16},
		{"hello_extra", p.HelloExtra, 0, 1 << 10}, {"blind_until", p.BlindUntil, 0, 1 << 20}, {"new_first", p.NewFirst, 0, 1 << 20}, {"new_blocks", p.NewBlocks, 0, 1 << 30},
		{"join_list", p.JoinList, 0, MaxIntros}, {"join_min", p.JoinMin, 0, p.JoinList}, {"seed_chunks", p.SeedChunks, 0, 255},
		{"seed_crowd", p.SeedCrowd, 0, 1 << 20}, {"max_members", p.MaxMembers, 1, 1 << 20},
		{"first_burst", p.FirstBurst, 0, MaxBurst},
	} {
		if x.is < x.low || x.is > x.high {
			return fmt.Errorf("%s %d is not between %d and %d", x.key, x.is, x.low, x.high)
		}
	}
	if err := p.checkTimes(); err != nil {
		return err
	}
	if !(p.TabFraction >= 0 && p.TabFraction <= 10) || !(p.JoinShare >= 0 && p.JoinShare <= 1) {
		return fmt.Errorf("tab_fraction %g is not between 0 and 10, or join_share %g not between 0 and 1", p.TabFraction, p.JoinShare)
	}
	return nil
}

// checkTimes: what a timer waits for is at least a millisecond, and nothing is longer than a day.
func (p *Params) checkTimes() error {
	const tick, day = time.Millisecond, 24 * time.Hour
	for _, x := range []struct {
		key     string
		is, low time.Duration
	}{
		{"seek_every", p.SeekEvery, tick}, {"dead_after", p.DeadAfter, tick}, {"hello_retry", p.HelloRetry, tick}, {"rescue_after", p.RescueAfter, tick},
		{"min_timeout", p.MinTimeout, p.only(ProfileClassic)}, {"max_timeout", p.MaxTimeout, p.MinTimeout}, {"look_again", p.LookAgain, p.only(ProfileClassic)},
		{"status_every", p.StatusEvery, p.only(ProfileTuned)}, {"status_same", p.StatusSame, p.only(ProfileTuned)},
		{"window_time", p.WindowTime, 0}, {"queue_most", p.QueueMost, 0}, {"piggyback_wait", p.PiggybackWait, 0}, {"backlog", p.Backlog, 0}, {"late_slack", p.LateSlack, 0}, {"idle_give", p.IdleGive, 0},
		{"join_young", p.JoinYoung, 0}, {"join_old", p.JoinOld, 0}, {"member_ttl", p.MemberTTL, 0},
	} {
		if x.is < x.low || x.is > day {
			return fmt.Errorf("%s %v is not between %v and %v", x.key, x.is, x.low, day)
		}
	}
	return nil
}

// only is the least a timer may be that one profile alone has.
func (p *Params) only(which Profile) time.Duration {
	if p.Profile == which {
		return time.Millisecond
	}
	return 0
}
