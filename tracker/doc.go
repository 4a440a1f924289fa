// Package tracker owns the directory of holders (N9): the messages of API v1,
// the rules by which announcements are taken and peers handed out, and the Store
// seam behind them.
//
// It knows keys, never URLs: a URL arrives only to be passed on to a notary and
// is neither stored nor logged (security row 38). It knows no concrete store, no
// client, and fetches nothing itself. Time and randomness are arguments; only
// http.go reads a clock.
package tracker
