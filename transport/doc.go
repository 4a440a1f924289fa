// Package transport owns the seam between "which object from which peers" and
// "how it moves": the Transport interface, what a transport is given to serve
// from (Source) and to deliver into (Sink), the words for peers, and the
// Registry value that plugins fill.
//
// It knows no concrete transport, no store, no locator and no URL: a transport
// moves objects named by their ObjectID, and nothing it delivers counts before
// the Sink has proved it.
package transport
