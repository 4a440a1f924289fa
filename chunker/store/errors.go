package store

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrCorrupt reports stored bytes that no longer match their hash. The chunk
	// has been dropped from Have, so that it can be fetched again.
	ErrCorrupt = errors.New("store: stored bytes do not match their hash")
	// ErrBudget reports bytes for which the budget has no room, even after
	// evicting everything that nobody uses or pins.
	ErrBudget = errors.New("store: over the store's byte budget")
	// ErrNoSpace reports a full disk or quota; it is a syscall.ENOSPC too.
	ErrNoSpace = fmt.Errorf("store: no space left: %w", syscall.ENOSPC)
	// ErrInUse reports an object that somebody has open.
	ErrInUse = errors.New("store: the object is in use")
	// ErrClosed reports the use of a closed store, object or spool.
	ErrClosed = errors.New("store: closed")
	// ErrDiscarded is what the followers of a spool get that was discarded
	// without a cause.
	ErrDiscarded = errors.New("store: the spool was discarded")
)
