// Package admin owns the peer's own small web server on loopback: how the peer is
// doing as JSON and as a page, and the few actions a script may trigger. It
// answers only to its own address (security row 30), shows counts and no URL the
// user has read, and loads nothing from elsewhere.
//
// It knows the figures only through Source; it reads no cache, asks no tracker
// and opens no connection.
package admin
