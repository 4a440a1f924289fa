package memory

import "nt/tracker"

// sampleRuns is of how many pieces of the swarm a list is made.
const sampleRuns = 4

// sample appends up to a.Want others of the asker's family. It copies runs that
// lie as far apart as they can, from a place the draw chooses.
func (s *torrentShard) sample(t *torrent, asker uint32, a tracker.TorrentAnnounce, list []byte) []byte {
	p := s.peers.at(asker)
	m, b := &t.lists[p.family], &s.lists[p.family]
	want := uint32(max(a.Want, 0))
	if m.n <= want+1 {
		return run(b, m, 0, m.n, p.pos, list)
	}
	if want == 0 {
		return list
	}
	full := len(list) + int(want)*b.addr
	want++ // the asker may be among them
	start := uint32(a.Draw % uint64(m.n))
	each := (want + sampleRuns - 1) / sampleRuns
	if each*sampleRuns > m.n {
		list = wrapped(b, m, start, want, p.pos, list)
		return list[:min(len(list), full)]
	}
	for i := uint32(0); i < sampleRuns && want > 0; i++ {
		n := min(each, want)
		list = wrapped(b, m, (start+i*(m.n/sampleRuns))%m.n, n, p.pos, list)
		want -= n
	}
	return list[:min(len(list), full)]
}

// wrapped copies n members from a place on, beginning anew at the end.
func wrapped(b *blocks, m *members, from, n, except uint32, list []byte) []byte {
	if from+n <= m.n {
		return run(b, m, from, from+n, except, list)
	}
	list = run(b, m, from, m.n, except, list)
	return run(b, m, 0, from+n-m.n, except, list)
}

// run copies the members from a place to another, but one.
func run(b *blocks, m *members, from, to, except uint32, list []byte) []byte {
	addrs := b.addrs(m)
	if except < from || except >= to {
		return append(list, addrs[int(from)*b.addr:int(to)*b.addr]...)
	}
	list = append(list, addrs[int(from)*b.addr:int(except)*b.addr]...)
	return append(list, addrs[int(except+1)*b.addr:int(to)*b.addr]...)
}
