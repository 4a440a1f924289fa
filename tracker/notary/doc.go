// Package notary owns looking for itself: it fetches announced URLs by its own
// canonical request and signs a statement where it saw the same as the reader
// did (design section 7). It must never be a way into a private network nor a
// load on anybody's server (security row 12). It stores no byte of content and
// forgets URLs once they are looked at.
package notary
