// Package resource owns the words for what a reader asks for: the canonical
// URL and its Key (security row 37), the response that was observed there, and
// the Statement in which a witness signs that observation.
//
// It is vocabulary shared by peer, tracker and modes. It knows no network, no
// clock, no store, and does not judge: what a statement is worth is decided in
// peer/trust.
package resource
