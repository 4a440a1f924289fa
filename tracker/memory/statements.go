package memory

import (
	"bytes"
	"hash/maphash"

	"nt/chunker"
	"nt/internal/resource"
	"nt/tracker"
)

// How much is kept of what witnesses say of one key.
const (
	maxContents  = 8 // distinct contents
	maxWitnesses = 6 // network groups that vouch for one content
	maxRelayed   = 2 // statements of one content that others than their witness brought
	maxSponsored = 2 // contents of a key that one network group alone may vouch for
)

// content is one version of a key: an object under a type and an encoding.
type content struct {
	object  chunker.ObjectID
	sum     uint64 // of object, type and encoding
	holders uint32
	id      uint16 // what holders refer to; not used again soon
	kept    []kept
}

// kept is one statement in compact form.
type kept struct {
	from     tracker.Group // narrow group of who brought it; 0 for the own notary
	relayed  bool          // by another than the witness
	observed int64
	logged   uint32
	raw      []byte // see encodeStatement; starts with the witness
}

func (sw *swarm) content(id uint16) *content {
	for i := range sw.contents {
		if sw.contents[i].id == id {
			return &sw.contents[i]
		}
	}
	return nil
}

func (sw *swarm) count(id uint16) {
	if c := sw.content(id); c != nil {
		c.holders++
	}
}

func (sw *swarm) uncount(id uint16) {
	if c := sw.content(id); c != nil {
		c.holders--
	}
}

func (sw *swarm) statements() []tracker.Kept {
	var out []tracker.Kept
	for _, c := range sw.contents {
		for _, k := range c.kept {
			st, _ := decodeStatement(sw.key, c.object, k.raw) // it was checked when it came
			out = append(out, tracker.Kept{Statement: st, LoggedAt: int64(k.logged), From: k.from, Relayed: k.relayed})
		}
	}
	return out
}

// keep records the notary's own statement.
func (s *shard) keep(now int64, st resource.Statement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	row, ok := s.swarmOf[st.Key]
	keep := noRow
	if ok {
		keep = row
	}
	if !makeRoom(s, swarmCost+statementSize(st), 0, keep) {
		return &tracker.RefusedError{Reason: tracker.ReasonFull, Detail: "the tracker's memory is spent"}
	}
	if !ok {
		row = s.addSwarm(now, st.Key, 0)
	}
	_, err := s.record(now, row, st, 0, false)
	return err
}

// record finds or makes the statement's content, keeps the statement if it adds
// anything, and returns the content's id. relayed says that the witness did not
// bring it.
func (s *shard) record(now int64, row uint32, st resource.Statement, from tracker.Group, relayed bool) (uint16, error) {
	sw := s.swarms.at(row)
	sw.touched = uint32(now)
	sum := contentSum(s.outages.seed, st)
	i := sw.find(sum)
	if i < 0 {
		if len(sw.contents) == maxContents || from != 0 && sw.sponsored(from.Widen()) >= maxSponsored {
			if !s.giveUpContent(sw, from) {
				return 0, &tracker.RefusedError{Reason: tracker.ReasonVersions, Detail: "the key has too many versions"}
			}
		}
		sw.nextContent++
		sw.contents = append(sw.contents, content{object: st.Object, sum: sum, id: sw.nextContent})
		s.charge(sw.owner, contentCost)
		i = len(sw.contents) - 1
	}
	id := sw.contents[i].id
	if s.supersede(sw, i, st, relayed) {
		return id, nil
	}
	if c := &sw.contents[i]; c.wants(from, relayed) {
		s.addKept(c, kept{from: from, relayed: relayed, observed: st.ObservedAt, logged: uint32(now), raw: encodeStatement(st)})
		if s.kept != nil {
			s.kept(tracker.Kept{Statement: st, LoggedAt: now, From: from, Relayed: relayed})
		}
	}
	return id, nil
}

// growth returns how many bytes keeping st would add at most.
func (s *shard) growth(row uint32, known bool, from tracker.Group, st resource.Statement, relayed bool) int64 {
	if !known {
		return statementSize(st)
	}
	sw := s.swarms.at(row)
	i := sw.find(contentSum(s.outages.seed, st))
	if i < 0 {
		return statementSize(st)
	}
	for _, k := range sw.contents[i].kept {
		if bytes.HasPrefix(k.raw, append(st.Witness[:], st.Signature[:]...)) {
			return 0
		}
		if bytes.HasPrefix(k.raw, st.Witness[:]) {
			return statementSize(st)
		}
	}
	if sw.contents[i].wants(from, relayed) {
		return statementSize(st)
	}
	return 0
}

func (sw *swarm) find(sum uint64) int {
	for i := range sw.contents {
		if sw.contents[i].sum == sum {
			return i
		}
	}
	return -1
}

// wants reports whether a statement from the group adds a vote: one per wide
// group, few groups, the own notary always. A relayed one is no vote, and few are kept.
func (c *content) wants(from tracker.Group, relayed bool) bool {
	if from == 0 {
		return true
	}
	if relayed {
		return c.relayed() < maxRelayed
	}
	voters := 0
	for _, k := range c.kept {
		if k.from == 0 || k.relayed {
			continue
		}
		if k.from.Widen() == from.Widen() {
			return false
		}
		voters++
	}
	return voters < maxWitnesses
}

func (c *content) relayed() int {
	n := 0
	for _, k := range c.kept {
		if k.relayed {
			n++
		}
	}
	return n
}

// supersede lets the newest observation of a witness win, and its own word over the
// same brought by others, who could otherwise take its vote away. A statement logged
// before the first outage is evidence that nothing said later can replace: it
// stays. It reports whether st need not be kept.
func (s *shard) supersede(sw *swarm, into int, st resource.Statement, relayed bool) (done bool) {
	for i := range sw.contents {
		c := &sw.contents[i]
		for j := 0; j < len(c.kept); j++ {
			k := c.kept[j]
			if !bytes.Equal(k.raw[:len(st.Witness)], st.Witness[:]) {
				continue
			}
			early := sw.firstOutage != 0 && k.logged < sw.firstOutage
			switch {
			case relayed && !k.relayed:
				if i == into || st.ObservedAt <= k.observed {
					return true
				}
			case !relayed && k.relayed:
				s.dropKept(c, j)
				j--
			case st.ObservedAt <= k.observed && (i == into || !early):
				return true // said before, or newer things were
			case early && i == into:
				return true
			case early:
			default:
				s.dropKept(c, j)
				j--
			}
		}
	}
	return false
}

// sponsored counts the contents that the wide group alone vouches for.
func (sw *swarm) sponsored(g tracker.Group) int {
	n := 0
	for i := range sw.contents {
		if sw.contents[i].onlyBy(g) {
			n++
		}
	}
	return n
}

func (c *content) onlyBy(g tracker.Group) bool {
	return len(c.kept) == 1 && c.kept[0].from != 0 && c.kept[0].from.Widen() == g
}

// giveUpContent removes the oldest content that nobody holds, else one that the
// asking group alone vouches for; for the notary any that it did not see itself.
func (s *shard) giveUpContent(sw *swarm, from tracker.Group) bool {
	pick := -1
	full := len(sw.contents) == maxContents
	for i := range sw.contents {
		c := &sw.contents[i]
		free := full && c.holders == 0 && !c.byNotary()
		own := from != 0 && c.onlyBy(from.Widen())
		if free || own || from == 0 && !c.byNotary() {
			pick = i
			break // contents are in order of arrival
		}
	}
	if pick < 0 {
		return false
	}
	s.dropContent(sw, &sw.contents[pick])
	sw.contents = append(sw.contents[:pick], sw.contents[pick+1:]...)
	return true
}

func (c *content) byNotary() bool {
	for _, k := range c.kept {
		if k.from == 0 {
			return true
		}
	}
	return false
}

func (s *shard) addKept(c *content, k kept) {
	c.kept = append(c.kept, k)
	s.statements++
	s.charge(k.from, keptCost+int64(len(k.raw)))
}

func (s *shard) dropKept(c *content, j int) {
	k := c.kept[j]
	s.statements--
	s.charge(k.from, -keptCost-int64(len(k.raw)))
	c.kept = append(c.kept[:j], c.kept[j+1:]...)
}

func (s *shard) dropContent(sw *swarm, c *content) {
	for len(c.kept) > 0 {
		s.dropKept(c, len(c.kept)-1)
	}
	s.charge(sw.owner, -contentCost)
}

func contentSum(seed maphash.Seed, st resource.Statement) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.Write(st.Object[:])
	h.WriteString(st.Encoding())
	h.WriteByte(0)
	h.WriteString(st.Header.Get("Content-Type"))
	return h.Sum64()
}
