package modes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"nt/chunker/store"
	"nt/peer"
	"nt/peer/origin"
	"nt/peer/trust"
	"nt/transport"
)

// explain gives an error of the node its exit code and hint.
func (t *transfer) explain(err error) error {
	exit, hint := t.classify(err)
	if exit == ExitOther { // it knows best itself, or the context ended
		return err
	}
	if !strings.Contains(err.Error(), t.raw) {
		err = fmt.Errorf("%s: %w", t.raw, err)
	}
	return &fault{exit, err, hint}
}

// classify maps the node's errors; what says most goes first, because the answer
// "nobody has it" wraps why each place did not. (A peer's wrong chunk is such a
// reason and no fault of what was delivered.)
func (t *transfer) classify(err error) (Exit, string) {
	var untrusted *peer.UntrustedError
	var f *fault
	switch {
	case errors.As(err, &untrusted):
		return ExitTrust, t.trustHint(untrusted)
	case errors.Is(err, peer.ErrNoSource), errors.Is(err, transport.ErrNoProgress):
		return ExitNoSource, t.sourceHint()
	case errors.As(err, &f), errors.Is(err, context.Canceled):
		return ExitOther, ""
	case errors.Is(err, origin.ErrTLS):
		return ExitTLS, "a bad certificate is not an outage, so no copy is used; check the clock and the address"
	case errors.Is(err, origin.ErrForbidden):
		return ExitNetwork, "only public addresses are asked; --allow-private lifts this"
	case errors.Is(err, peer.ErrBadRequest):
		return ExitUsage, ""
	case errors.Is(err, store.ErrNoSpace), errors.Is(err, store.ErrBudget):
		return ExitFile, "make room in the cache: nt cache rm"
	}
	if exit := exitOfKind(err); exit != ExitOther && exit != ExitDeadline {
		return exit, ""
	}
	return ExitNetwork, ""
}

// trustHint says how a copy that was refused could be had.
func (t *transfer) trustHint(e *peer.UntrustedError) string {
	if t.notaries != nil {
		var changed *changedKeyError
		if errors.As(t.notaries.impostors(), &changed) {
			return fmt.Sprintf("%v; if its operator says that this is right, name the key: --tracker %s#%s", changed, changed.tracker, changed.is)
		}
	}
	if len(e.Liars) > 0 {
		return fmt.Sprintf("a notary told others something else; the proof is in %s, and without that file it is believed again", strings.Join(e.Liars, ", "))
	}
	best := trust.Unverified
	for _, c := range e.Found {
		best = max(best, c.Level)
	}
	level := best.String()
	if best == trust.Unverified {
		level = "any"
	}
	switch {
	case e.Publisher != "":
		return "if you know what it should be, name it with --checksum sha-256=HEX; nt publishers shows whose keys are known, and forgets one that is lost"
	case e.Disputed():
		return "none is chosen for you: --object ID takes the version of that name, --checksum sha-256=HEX the one you know"
	case e.Risky:
		return "name its SHA-256 with --checksum sha-256=HEX"
	}
	if n := t.app.common.Quorum; n > 1 && best < trust.Notary && e.Need <= trust.Notary {
		return fmt.Sprintf("--quorum wants %d independent notaries that saw the same; --quorum 1 takes the word of one, --checksum sha-256=HEX the version you know", n)
	}
	return fmt.Sprintf("if you know what it should be, name it with --checksum sha-256=HEX; --trust %s takes it as it is", level)
}

// sourceHint says where else one could have asked.
func (t *transfer) sourceHint() string {
	switch {
	case t.cmd.NoPeers:
		return "without --no-peers others would have been asked"
	case len(t.app.common.Tracker) == 0:
		return "no tracker is configured: --tracker HOST:PORT names one"
	case t.cmd.NoOrigin:
		return "without --no-origin the origin would have been asked"
	}
	return ""
}
