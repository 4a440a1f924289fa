// Package origin owns the conversation with a resource's own server: it sends
// the reader's request as the reader wrote it (N19), returns what the server
// answers as it answered it (N20), and judges whether a failure means that the
// origin is down.
//
// It follows no redirects, keeps no cookies, obeys no proxy environment, and
// knows no cache, peer or locator.
package origin
