package tracker

import "fmt"

// Reason says why something was refused, in words that are part of API v1 and
// are counted in the statistics.
type Reason string

// The reasons of API v1.
const (
	ReasonMalformed   Reason = "malformed"
	ReasonTooLarge    Reason = "too_large"
	ReasonSignature   Reason = "bad_signature"
	ReasonClock       Reason = "clock_skew"
	ReasonStale       Reason = "stale" // older than what this peer said before
	ReasonAddress     Reason = "address_not_public"
	ReasonRate        Reason = "rate_limited"
	ReasonStatement   Reason = "bad_statement"
	ReasonURL         Reason = "url_is_not_the_key"
	ReasonQuota       Reason = "group_quota" // this network group holds its share of the tracker
	ReasonSwarmQuota  Reason = "swarm_quota" // this network group holds its share of the key
	ReasonFull        Reason = "full"        // the tracker's memory is spent
	ReasonVersions    Reason = "too_many_versions"
	ReasonTicket      Reason = "bad_ticket"
	ReasonBusy        Reason = "busy"
	ReasonUnavailable Reason = "unavailable"
	ReasonNotFound    Reason = "not_found"
	ReasonMethod      Reason = "method"
	ReasonToken       Reason = "bad_token"
	ReasonSilent      Reason = "endpoint_silent" // nothing answers at the announced endpoint
	ReasonNode        Reason = "not_a_node"      // what only the nodes of one tracker may ask
)

// reasons lists all of them, for the counters.
func reasons() []Reason {
	return []Reason{
		ReasonMalformed, ReasonTooLarge, ReasonSignature, ReasonClock, ReasonStale, ReasonAddress, ReasonRate,
		ReasonStatement, ReasonURL, ReasonQuota, ReasonSwarmQuota, ReasonFull, ReasonVersions,
		ReasonTicket, ReasonBusy, ReasonUnavailable, ReasonNotFound, ReasonMethod, ReasonToken,
		ReasonSilent, ReasonNode,
	}
}

// RefusedError is what the asker may read about a message that was refused. No
// other error's text leaves the tracker.
type RefusedError struct {
	Reason Reason
	Detail string
	Hint   string
}

// Error returns the reason and the detail.
func (e *RefusedError) Error() string { return string(e.Reason) + ": " + e.Detail }

func refuse(r Reason, format string, args ...any) *RefusedError {
	return &RefusedError{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

func (e *RefusedError) hint(s string) *RefusedError {
	e.Hint = s
	return e
}
