package redis

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"nt/internal/resource"
)

const (
	nodesKey  = "nt:nodes"
	bornKey   = "nt:born"
	secretKey = "nt:secret"
	maxNodes  = 64
	// beats is how many signs of life a node gives in its time.
	beats = 5
)

// members is the list of nodes as this node knows it.
type members struct {
	self string
	came time.Time

	mu   sync.Mutex
	list []string // sorted, the own one included
}

func newMembers(self string, now time.Time) *members {
	return &members{self: self, came: now, list: []string{self}}
}

// isNew reports whether this node came less than so long ago.
func (m *members) isNew(now time.Time, lives time.Duration) bool { return now.Sub(m.came) < lives }

// heir returns the node that would own a key without this one, or "".
func (m *members) heir(key resource.Key) string { return ownerOf(m.others(), key) }

// owner returns the node that owns a key: rendezvous hashing, so that a node that
// comes or goes moves its own share only.
func (m *members) owner(key resource.Key) string {
	m.mu.Lock()
	list := m.list
	m.mu.Unlock()
	return ownerOf(list, key)
}

func ownerOf(list []string, key resource.Key) string {
	var best [sha256.Size]byte
	owner := ""
	for _, node := range list {
		sum := sha256.Sum256(append(key[:len(key):len(key)], node...))
		if owner == "" || bytes.Compare(sum[:], best[:]) > 0 {
			owner, best = node, sum
		}
	}
	return owner
}

// all returns the list.
func (m *members) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list)
}

func (m *members) others() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, n := range m.list {
		if n != m.self {
			out = append(out, n)
		}
	}
	return out
}

// update takes over what Redis says. While Redis is young, as after a restart, nodes
// that it does not know yet stay. It reports whether the list changed.
func (m *members) update(named []string, young bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := append([]string{m.self}, named[:min(len(named), maxNodes)]...)
	if young {
		list = append(list, m.list...)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	changed := !slices.Equal(list, m.list)
	m.list = list
	return changed
}

// beat says that this node lives and returns who else does, and whether Redis has
// been up for less than a node's time.
func (c *Cluster) beat() (named []string, young bool, err error) {
	conn := c.pool.Get()
	defer conn.Close()
	now, err := redisTime(conn)
	if err != nil {
		return nil, false, err
	}
	until := now + c.cfg.Lives.Milliseconds()
	for _, cmd := range []struct {
		name string
		args []any
	}{{"ZADD", []any{nodesKey, until, c.members.self}}, {"ZREMRANGEBYSCORE", []any{nodesKey, "-inf", now}},
		{"SET", []any{bornKey, now, "NX"}}, {"SET", []any{secretKey, c.secret[:], "NX"}}} { // both are gone after a restart without a disk
		if _, err := conn.Do(cmd.name, cmd.args...); err != nil {
			return nil, false, err
		}
	}
	born, err := redis.Int64(conn.Do("GET", bornKey))
	if err != nil {
		return nil, false, err
	}
	named, err = redis.Strings(conn.Do("ZRANGEBYSCORE", nodesKey, now+1, "+inf", "LIMIT", 0, maxNodes))
	return named, now-born < c.cfg.Lives.Milliseconds(), err
}

// redisTime is one clock for all nodes, in milliseconds.
func redisTime(conn redis.Conn) (int64, error) {
	t, err := redis.Strings(conn.Do("TIME"))
	if err != nil || len(t) != 2 {
		return 0, fmt.Errorf("asking Redis for the time: %w", err)
	}
	var sec, micro int64
	_, err = fmt.Sscan(t[0]+" "+t[1], &sec, &micro)
	return sec*1000 + micro/1000, err
}
