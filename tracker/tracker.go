package tracker

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/maphash"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/transport"
)

// Config is what a Tracker is made of.
type Config struct {
	Store Store
	// PublicAddr says whether an announcing peer's address may be handed out
	// (security row 11). Required unless AllowPrivate.
	PublicAddr   func(netip.Addr) bool
	AllowPrivate bool
	// Secret makes tickets and group labels; the zero Secret is replaced by a fresh one.
	Secret Secret
	// TTL is how long an announcement holds if it asks for nothing else; 0 is
	// DefaultTTL. Wishes are clipped to MinTTL and MaxTTL.
	TTL, MinTTL, MaxTTL time.Duration
	// Pace stretches TTL when too many announce; nil never does.
	Pace *Pace
	// Notary hears of announced URLs; nil for a tracker that is none.
	Notary Notary
	// Rendezvous knows where live peers are seen; nil for a tracker without UDP.
	Rendezvous Rendezvous
	// Prober asks announced endpoints whether they answer; nil takes them as they come.
	Prober Prober
	// Settled is until when holders that announced before a restart may be missing; zero for a
	// tracker that has forgotten nobody.
	Settled time.Time
	// LostAt says when another node was last lost with what it held; zero: never. nil for a tracker alone.
	LostAt func() time.Time
	// Heard is told once a second at most that announcements were taken. May be nil.
	Heard func()
}

// Times an announcement may hold.
const (
	DefaultTTL = 30 * time.Minute
	DefaultMin = 5 * time.Minute
	DefaultMax = 2 * time.Hour
)

// Notary sees for itself what announced URLs hold. It never blocks.
type Notary interface {
	// Key is the witness key it signs with.
	Key() resource.WitnessKey
	// Offer tells that a holder stated st of the URL.
	Offer(now time.Time, u resource.URL, st resource.Statement)
	// Counters returns what it did so far, by name.
	Counters() map[string]int64
}

// Rendezvous knows peers by the UDP sessions they keep open with the tracker.
type Rendezvous interface {
	// Key is the key that those sessions are authenticated to.
	Key() transport.PeerID
	// Endpoint is where the peer's live session comes from.
	Endpoint(id transport.PeerID) (netip.AddrPort, bool)
	// After returns up to k of the peers that say in their session, by TopicOf, that they are after an object at this moment; not who
	// comes from the address but.
	After(object chunker.ObjectID, k int, but netip.AddrPort, rnd *mrand.Rand) []transport.PeerID
}

// Tracker is the directory's logic. It is safe for concurrent use.
type Tracker struct {
	cfg     Config
	seed    uint64
	draws   atomic.Uint64
	count   *counters
	checked *verified
	ages    *keyAges
	fmds    *fmdTable
	proofs  *proofs
	heardAt atomic.Int64 // Unix seconds
}

// New returns a Tracker over cfg.Store.
func New(cfg Config) (*Tracker, error) {
	if cfg.Store == nil {
		return nil, errors.New("a tracker needs a store")
	}
	if cfg.PublicAddr == nil && !cfg.AllowPrivate {
		return nil, errors.New("a tracker needs a rule for public addresses")
	}
	cfg.TTL = orDefault(cfg.TTL, DefaultTTL)
	cfg.MinTTL = orDefault(cfg.MinTTL, min(DefaultMin, cfg.TTL))
	cfg.MaxTTL = orDefault(cfg.MaxTTL, max(DefaultMax, cfg.TTL))
	if cfg.Secret == (Secret{}) {
		rand.Read(cfg.Secret[:]) // never fails
	}
	seed := binary.BigEndian.Uint64(cfg.Secret.mac("sample", nil))
	return &Tracker{cfg: cfg, seed: seed, count: newCounters(), checked: &verified{seed: maphash.MakeSeed()}, ages: newKeyAges(), fmds: newFMDTable(), proofs: newProofs()}, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Info returns what everybody may know of the tracker.
func (t *Tracker) Info(now time.Time) Info {
	info := Info{Version: 1, TTL: seconds(t.cfg.TTL), Time: now.Unix()}
	if t.cfg.Notary != nil {
		key := t.cfg.Notary.Key()
		info.Notary = &key
	}
	if t.cfg.Rendezvous != nil {
		key := t.cfg.Rendezvous.Key()
		info.Key = &key
	}
	return info
}

// Announce takes a batch from a peer at the address from (N10). The message's
// signature has been checked. Errors for the asker are *RefusedError.
func (t *Tracker) Announce(now time.Time, from netip.Addr, req AnnounceRequest) (AnnounceResponse, error) {
	t.count.announces.Add(1)
	from = from.Unmap()
	if err := t.checkAnnouncer(now, from, req); err != nil {
		return AnnounceResponse{}, t.refused(err)
	}
	addr, err := t.prove(now, netip.AddrPortFrom(from, req.Peer.Port), req)
	if err != nil {
		return AnnounceResponse{}, t.refused(err)
	}
	ttl := t.clipTTL(now, req)
	resp := AnnounceResponse{TTL: t.told(ttl), Refused: Refusals{}}
	taken, index, urls := t.sift(req, &resp)
	p := Announcer{ID: req.Peer.ID, Addr: addr, Transports: req.Peer.Transports, Said: req.Time}
	errs, err := t.cfg.Store.Announce(now, ttl, p, taken)
	if err != nil {
		return AnnounceResponse{}, t.refused(err)
	}
	for i, st := range taken {
		if errs != nil && errs[i] != nil {
			t.refuseItem(&resp, index[i], errs[i])
			continue
		}
		t.count.items.Add(1)
		if st.Witness == resource.WitnessKey(req.Peer.ID) {
			t.ages.hear(now, st.Witness)
		}
		if !urls[i].IsZero() {
			t.cfg.Notary.Offer(now, urls[i], st)
		}
		t.keepFMD(st.Object, req.Items[index[i]].FMD)
	}
	if at := now.Unix(); t.cfg.Heard != nil && len(resp.Refused) < len(req.Items) && t.heardAt.Swap(at) != at {
		t.cfg.Heard()
	}
	slices.SortFunc(resp.Refused, func(a, b Refusal) int { return a.Index - b.Index })
	return resp, nil
}

// sift returns the items that are in order, their places in the batch, and
// their URLs where a notary wants them; the others go to resp.Refused.
func (t *Tracker) sift(req AnnounceRequest, resp *AnnounceResponse) (taken []resource.Statement, index []int, urls []resource.URL) {
	for i, it := range req.Items {
		u, err := t.checkItem(req, it)
		if err != nil {
			t.refuseItem(resp, i, err)
			continue
		}
		taken, index, urls = append(taken, it.Statement), append(index, i), append(urls, u)
	}
	return taken, index, urls
}

func (t *Tracker) refuseItem(resp *AnnounceResponse, i int, err error) {
	var r *RefusedError
	if !errors.As(t.refused(err), &r) {
		r = refuse(ReasonUnavailable, "the store failed")
	}
	resp.Refused = append(resp.Refused, Refusal{Index: i, Reason: r.Reason})
}

func (t *Tracker) checkAnnouncer(now time.Time, from netip.Addr, req AnnounceRequest) error {
	if err := checkTime(now, req.Time); err != nil {
		return err
	}
	if !t.cfg.AllowPrivate && !t.cfg.PublicAddr(from) {
		return refuse(ReasonAddress, "you announce from %s, which nobody else can reach", from).
			hint("a tracker for a closed network runs with --allow-private")
	}
	if req.Peer.Port == 0 {
		return refuse(ReasonMalformed, "peer.port is missing")
	}
	if len(req.Peer.Transports) == 0 || len(req.Peer.Transports) > MaxTransports {
		return refuse(ReasonMalformed, "peer.transports must name 1 to %d transports", MaxTransports)
	}
	for _, name := range req.Peer.Transports {
		if !validTransport(name) {
			return refuse(ReasonMalformed, "peer.transports: %q is no transport's name", name)
		}
	}
	if len(req.Items) == 0 || len(req.Items) > MaxItems {
		return refuse(ReasonMalformed, "items must have 1 to %d entries", MaxItems)
	}
	return nil
}

// checkItem checks one item and returns its URL if a notary should see it.
func (t *Tracker) checkItem(req AnnounceRequest, it Item) (u resource.URL, err error) {
	st := it.Statement
	if st.ObservedAt > req.Time+MaxClockSkew || st.ObservedAt < 0 {
		return u, refuse(ReasonClock, "the statement is of another time")
	}
	if it.URL != "" && t.cfg.Notary != nil {
		if u, err = resource.ParseURL(it.URL); err != nil || u.Key() != st.Key {
			return resource.URL{}, refuse(ReasonURL, "the URL is not the one the key stands for")
		}
	}
	if err := t.checked.verify(st); err != nil {
		return resource.URL{}, refuse(ReasonStatement, "%v", err)
	}
	return u, nil
}

// Leave takes back everything the peer announced (its message's signature has been checked).
func (t *Tracker) Leave(now time.Time, req LeaveRequest) (LeaveResponse, error) {
	t.count.leaves.Add(1)
	err := checkTime(now, req.Time)
	if err == nil {
		err = t.cfg.Store.Leave(now, req.Peer, req.Time)
	}
	return LeaveResponse{}, t.refused(err)
}

// keepFMD remembers the header that came with an announcement, if it is the object's.
func (t *Tracker) keepFMD(id chunker.ObjectID, fmd FMD) {
	if len(fmd) == 0 {
		return
	}
	if h, err := chunker.ParseHeaderFor(id, fmd); err == nil {
		t.fmds.put(id, h)
	}
}

// KeepOwn records a statement that the tracker's own notary signed.
func (t *Tracker) KeepOwn(now time.Time, st resource.Statement) error {
	return t.cfg.Store.Keep(now, st)
}

// clipTTL is how long the announcement holds: what it asks for within limits,
// stretched when too many announce.
func (t *Tracker) clipTTL(now time.Time, req AnnounceRequest) time.Duration {
	least := t.cfg.MinTTL
	if t.cfg.Pace != nil {
		if stretched := t.cfg.Pace.Count(now, len(req.Items)); t.cfg.Pace.Stretch() > 1 {
			least = min(stretched, t.cfg.MaxTTL)
		}
	}
	if req.TTL <= 0 {
		return max(t.cfg.TTL, least)
	}
	wish := min(req.TTL, seconds(t.cfg.MaxTTL))
	return max(time.Duration(wish)*time.Second, least)
}

// told is what the announcer hears: between half of the TTL and all of it, so that
// those who came together do not come back together (security row 14).
func (t *Tracker) told(ttl time.Duration) int64 {
	rnd := mrand.New(mrand.NewPCG(t.seed, t.draws.Add(1)))
	s := seconds(ttl)
	return s - rnd.Int64N(s/2+1)
}

func checkTime(now time.Time, said int64) error {
	if d := now.Unix() - said; d > MaxClockSkew || d < -MaxClockSkew {
		return refuse(ReasonClock, "the message is of another time: your clock is off by %d s or it is a replay", -d).
			hint("set the clock")
	}
	return nil
}

func validTransport(name string) bool {
	if name == "" || len(name) > MaxTransportName {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '/' {
			return false
		}
	}
	return true
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
