package tracker

import (
	"nt/chunker"
	"nt/internal/resource"
	"nt/transport"
)

// Limits of API v1. A message over one of them is refused as a whole.
const (
	MaxItems         = 256 // announcements in a batch
	MaxKeys          = 32  // keys in a lookup
	MaxWant          = 50  // peers per key in an answer
	DefaultWant      = 30  // when a lookup does not say
	MaxTransports    = 8   // names a peer may announce
	MaxTransportName = 16  // bytes of a transport's name
	MaxTicket        = 256
	MaxStatements    = 64  // statements per key in an answer
	MaxClockSkew     = 600 // seconds between a signed message's time and ours

	// MaxAnnounceBytes bounds an announcement's body; MaxSmallBytes every other.
	MaxAnnounceBytes = 1 << 20
	MaxSmallBytes    = 8 << 10
)

// AnnounceRequest is the body of POST /v1/announce: "I have these" (N10). It is
// signed by the peer's key, see Sign.
type AnnounceRequest struct {
	Peer  PeerInfo `json:"peer"`
	Time  int64    `json:"time"`          // Unix seconds, against replay
	TTL   int64    `json:"ttl,omitempty"` // seconds wished for; 0 leaves it to the tracker
	Items Items    `json:"items"`
}

// PeerInfo is what a peer says of itself. Its address is not in it: that is
// the source address of the connection (security row 11).
type PeerInfo struct {
	ID         transport.PeerID `json:"id"`
	Port       uint16           `json:"port"`
	Transports []string         `json:"transports"`
}

// Item is one resource the peer holds.
type Item struct {
	// Statement is the peer's own, or the one that made a copy from peers believable.
	Statement resource.Statement `json:"statement"`
	URL       string             `json:"url,omitempty"`
	FMD       FMD                `json:"fmd,omitempty"` // header of the statement's object
}

// AnnounceResponse says for how long the accepted items hold, in seconds.
type AnnounceResponse struct {
	TTL     int64    `json:"ttl"`
	Refused Refusals `json:"refused"`
}

// Refusal is an item that was not taken.
type Refusal struct {
	Index  int    `json:"index"`
	Reason Reason `json:"reason"`
}

// LookupRequest is the body of POST /v1/lookup. It is sent only after an origin
// failed, and so counts as an outage report for its keys.
type LookupRequest struct {
	Keys Keys   `json:"keys"`
	Want int    `json:"want,omitempty"` // peers per key
	Port uint16 `json:"port,omitempty"` // the asker's own serving port, to leave it out
	Near bool   `json:"near,omitempty"` // peers of the asker's own network group first
	// Complete: the asker has everything, and wants statements and no peers.
	Complete bool `json:"complete,omitempty"`
}

// LookupResponse has one result per key, in the order of the request.
type LookupResponse struct {
	Results Results `json:"results"`
	// Settling is for how many seconds holders may be missing because the tracker has
	// restarted and not everybody has announced again; 0 when all should be known.
	Settling int64 `json:"settling,omitempty"`
}

// Result is what is known of one key: nobody is an empty list (N9).
type Result struct {
	Key         resource.Key `json:"key"`
	Peers       Peers        `json:"peers"`
	Statements  LoggedList   `json:"statements"`
	FirstOutage int64        `json:"first_outage,omitempty"` // Unix seconds; 0 when never reported before
	FMDs        FMDs         `json:"fmds,omitempty"`         // headers of the objects, of those that are known
}

// PeerEntry is one holder in a Result, or somebody who fetches the object at this moment.
type PeerEntry struct {
	ID         transport.PeerID `json:"id"`
	Addr       string           `json:"addr"` // "ip:port"
	Transports []string         `json:"transports"`
	Object     chunker.ObjectID `json:"object"`
	Ticket     string           `json:"ticket"`
	Reading    bool             `json:"reading,omitempty"` // it is fetching the object itself and holds a part of it at most
	Token      []byte           `json:"-"`                 // opens the peer's gate to whoever asked by UDP
}

// Logged is a statement with what the tracker adds to it.
type Logged struct {
	Statement resource.Statement `json:"statement"`
	LoggedAt  int64              `json:"logged_at"` // Unix seconds, by the tracker's clock
	KeySince  int64              `json:"key_since"` // when the tracker first heard of the witness, Unix seconds; 0 if it does not know
	Group     string             `json:"group"`     // opaque label of the witness's /16 or /32; "" if another peer brought it
}

// ReportRequest is the body of POST /v1/report (N12).
type ReportRequest struct {
	Ticket string `json:"ticket"`
	Reason string `json:"reason"` // "dead" or "bad"
}

// ReportResponse says whether the report changed anything.
type ReportResponse struct {
	Counted bool `json:"counted"`
}

// LeaveRequest is the body of POST /v1/leave, signed like an announcement.
type LeaveRequest struct {
	Peer transport.PeerID `json:"peer"`
	Time int64            `json:"time"`
}

// LeaveResponse is empty.
type LeaveResponse struct{}

// Info is the answer of GET /v1/info.
type Info struct {
	Version int                  `json:"version"`
	Notary  *resource.WitnessKey `json:"notary"` // null: not a notary, send no URLs
	Key     *transport.PeerID    `json:"key"`    // of UDP sessions on the same port number; null: there are none
	TTL     int64                `json:"ttl"`    // seconds an announcement holds if it asks for nothing else
	Time    int64                `json:"time"`   // Unix seconds
}

// ErrorResponse is the body of every answer that is not 200.
type ErrorResponse struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}
