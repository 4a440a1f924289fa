// Package trust owns what makes a copy believable when the origin is gone
// (design section 7): levels, evidence and the verdict over them. It is pure:
// statements, keys and time in, a verdict out; no network, store or clock.
package trust

import (
	"time"

	"nt/internal/resource"
)

// Evidence is a statement together with what the locator that kept it adds.
type Evidence struct {
	Statement resource.Statement
	// LoggedAt is when the locator first saw the statement, by its clock.
	LoggedAt time.Time
	// Group is the locator's opaque label of the network group (/16 or /32) the
	// statement came from. Same label, same group.
	Group string
	// Locator names whose word LoggedAt and Group are.
	Locator string
}
