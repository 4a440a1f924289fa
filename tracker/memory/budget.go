package memory

import "sync/atomic"

// budget is the memory all shards share: the crowd of one key lies in one shard
// and may need nearly all of it.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) fits(need int64) bool { return b.used.Load()+need <= b.limit }
