package redis

import (
	"slices"
	"time"

	"github.com/gomodule/redigo/redis"
)

// leftFor is how long a node's goodbye is kept: until all others have noticed that it is gone.
const leftFor = 10 * time.Minute

func leftKey(node string) string { return "nt:left:" + node }

// LostAt returns when this node last noticed that another one was gone without having handed over what it
// held; zero if none was. Holders may be missing until they have announced again.
func (c *Cluster) LostAt() time.Time {
	if at := c.lostAt.Load(); at != 0 {
		return time.Unix(at, 0)
	}
	return time.Time{}
}

// mourn notes the nodes of the former list that are gone without a goodbye.
func (c *Cluster) mourn(before []string) {
	var gone []string
	after := c.members.all()
	for _, n := range before {
		if !slices.Contains(after, n) {
			gone = append(gone, n)
		}
	}
	if len(gone) == 0 {
		return
	}
	conn := c.pool.Get()
	defer conn.Close()
	for _, n := range gone {
		if left, err := redis.Bool(conn.Do("EXISTS", leftKey(n))); err != nil || !left {
			c.lostAt.Store(c.cfg.Now().Unix())
		}
	}
}

// sayGoodbye tells the others that this node leaves and hands over.
func (c *Cluster) sayGoodbye(conn redis.Conn) {
	conn.Do("SET", leftKey(c.members.self), 1, "EX", int64(leftFor/time.Second)) // else its share is taken for lost
	conn.Do("ZREM", nodesKey, c.members.self)                                    // else the others wait for its time to pass
}
