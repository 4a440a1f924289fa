package roulette

import (
	"net/netip"

	"nt/transport"
)

// Account is what was exchanged with one key, or with one network group, over all
// objects (F36: "per neighbour over all files"). Units: bytes of content.
type Account struct {
	Sent     int64
	Received int64
}

// maxAccounts bounds each of a Ledger's tables; the oldest account goes first.
const maxAccounts = 4096

// Ledger keeps the tit-for-tat accounts of a node; its swarms share it. It is
// not safe for concurrent use.
type Ledger struct {
	keys   accounts[transport.PeerID]
	groups accounts[netip.Prefix]
}

// NewLedger returns an empty Ledger.
func NewLedger() *Ledger { return &Ledger{} }

// tab is the pair of accounts one neighbour is held to.
type tab struct {
	key   *Account
	group *Account
}

// open returns the accounts of a peer. Peers whose address says nothing about
// a network of their own (IPv4: /24, IPv6: /48) share their group's account, so
// that new keys from one place do not each get a fresh tab.
func (l *Ledger) open(p transport.Peer) tab {
	t := tab{group: l.groups.get(transport.NetworkGroup(p.Addr.Addr()))}
	if p.ID.IsZero() {
		t.key = new(Account)
	} else {
		t.key = l.keys.get(p.ID)
	}
	return t
}

// groupTabs is how many tabs all the keys of one network group may run up together.
const groupTabs = 4

func (t tab) within(p *Params, n int) bool {
	return int64(n) <= t.room(p)
}

// room is how many bytes may be sent within the tab: sent - received may run up to
// Tab or to TabFraction of the received bytes, whichever is more. The paper's
// sentence read literally ("sent <= max(4 KB, 90 % of received)") locks two honest
// peers when each has sent 4.5 KB; read as a tab it works.
func (a Account) room(p *Params) int64 {
	tab := max(int64(p.Tab), int64(p.TabFraction*float64(a.Received)))
	if p.TabLiteral {
		return tab - a.Sent
	}
	return a.Received + tab - a.Sent
}

func (t tab) room(p *Params) int64 {
	wide := *p
	wide.Tab *= groupTabs
	return min(t.key.room(p), t.group.room(&wide))
}

func (t tab) sent(n int) {
	t.key.Sent += int64(n)
	t.group.Sent += int64(n)
}

func (t tab) received(n int) {
	t.key.Received += int64(n)
	t.group.Received += int64(n)
}

// balance is how many bytes more the neighbour got than it gave.
func (t tab) balance() int64 { return t.key.Sent - t.key.Received }

// accounts is a table that forgets its oldest entry when full.
type accounts[K comparable] struct {
	byKey map[K]*Account
	order []K
}

func (t *accounts[K]) get(k K) *Account {
	if a, ok := t.byKey[k]; ok {
		return a
	}
	if t.byKey == nil {
		t.byKey = make(map[K]*Account)
	}
	if len(t.order) >= maxAccounts {
		delete(t.byKey, t.order[0])
		t.order = t.order[1:]
	}
	a := new(Account)
	t.byKey[k] = a
	t.order = append(t.order, k)
	return a
}
