// Package intercept owns the certificate authority of one device and the judgement
// which HTTPS sites are read with it (security row 32). Interception is opt-in: nothing
// here runs unless the user made an authority and asked for it.
//
// The authority's key never leaves its file (0600). It lives 90 days at most, and can be
// bound to names that a browser checks, too: a leaf outside them is worth nothing.
// A site is not read when the user's rules forbid it, when it asks readers for
// certificates, when it cannot prove who it is (its reader shall see that
// himself), or when a reader's program refused our certificate before, which
// is what pinning looks like from here.
//
// It forwards nothing and knows no HTTP, no cache and no peer.
package intercept
